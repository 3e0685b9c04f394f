//! Webhooks that other services send to this one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use payonce_domain::account::AccountId;
use secrecy::{ExposeSecret, SecretSlice};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Profile;

/// Whose webhooks they are, and who may send them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksSettings {
    /// The account that they belong to.
    #[serde(deserialize_with = "account")]
    pub account: AccountId,
    /// What they may be signed with; none means that they need not be.
    #[serde(default, deserialize_with = "secrets")]
    pub secrets: Vec<WebhookSecret>,
}

impl WebhooksSettings {
    pub(super) fn check(&self, profile: Profile, problems: &mut Vec<String>) {
        let is_short = |secret: &WebhookSecret| secret.0.expose_secret().len() < 24;
        if profile == Profile::Production && self.secrets.is_empty() {
            problems.push(
                "webhooks.secrets must be set with profile = \"production\": anybody could announce \
                 transactions"
                    .to_owned(),
            );
        }
        if profile == Profile::Production && self.secrets.iter().any(is_short) {
            problems.push(
                "webhooks.secrets must have at least 24 bytes each with profile = \"production\""
                    .to_owned(),
            );
        }
    }
}

/// A secret shared with a sender: `whsec_` and base64.
#[derive(Debug, Clone)]
pub struct WebhookSecret(SecretSlice<u8>);

impl WebhookSecret {
    /// The secret itself.
    pub fn bytes(&self) -> SecretSlice<u8> {
        self.0.clone()
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        const RULE: &str = "each must be whsec_ and then base64";
        let encoded = text.strip_prefix("whsec_").filter(|encoded| !encoded.is_empty());
        let bytes = STANDARD.decode(encoded.ok_or(RULE)?).map_err(|_not_base64| RULE)?;
        Ok(Self(bytes.into()))
    }
}

fn account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccountId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A list, or one text in which commas separate them, as in a variable.
fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<WebhookSecret>, D::Error> {
    struct Secrets;

    impl<'de> Visitor<'de> for Secrets {
        type Value = Vec<WebhookSecret>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of secrets")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            let all = text.split(',').map(|one| WebhookSecret::parse(one.trim()));
            all.collect::<Result<_, _>>().map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = seq.next_element::<String>()? {
                all.push(WebhookSecret::parse(&one).map_err(A::Error::custom)?);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_any(Secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_prefix_and_base64_and_prints_nothing() {
        let secret = WebhookSecret::parse("whsec_aHVzaC1odXNo").expect("valid");
        assert_eq!(secret.bytes().expose_secret(), b"hush-hush");
        assert!(!format!("{secret:?}").contains("hush"), "{secret:?}");
        for text in ["", "whsec_", "aHVzaC1odXNo", "whsec_hush hush", "WHSEC_aHVzaA==", "whsec_a"] {
            assert!(WebhookSecret::parse(text).is_err(), "{text}");
        }
    }
}
