//! Finds out in whose name a key asks.

use std::sync::Arc;

use crate::account::AccountId;
use crate::api_key::{ApiKey, KeyHash, KeyPrefix, KeyScope, PresentedKey};
use crate::ports::{ApiKeyRepository, RepositoryError};

/// Compared with what is presented where no key is known: that costs as much as a comparison with
/// a key. No text has this hash.
const NOBODY: KeyHash = KeyHash([0; 32]);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// In whose name.
    pub account: AccountId,
    /// What they may do.
    pub scope: KeyScope,
    /// By which key.
    pub key: KeyPrefix,
}

/// The use case.
pub struct AuthenticateKey {
    /// The keys.
    pub keys: Arc<dyn ApiKeyRepository>,
}

impl AuthenticateKey {
    /// The caller, where that is known without asking the store.
    pub async fn recall(&self, presented: &PresentedKey) -> Option<Caller> {
        let known = self.keys.recall(presented.prefix.as_ref()?).await??;
        caller(Some(&known), presented)
    }

    /// The caller; `None` for a key that is malformed, unknown, wrong or revoked, which nobody
    /// tells apart.
    pub async fn execute(
        &self,
        presented: &PresentedKey,
    ) -> Result<Option<Caller>, RepositoryError> {
        let known = match &presented.prefix {
            Some(prefix) => self.keys.find(prefix).await?,
            None => None,
        };
        Ok(caller(known.as_ref(), presented))
    }
}

fn caller(known: Option<&ApiKey>, presented: &PresentedKey) -> Option<Caller> {
    let is_same = known.map_or(NOBODY, |key| key.hash) == presented.hash;
    let key = known.filter(|key| is_same && key.revoked_at.is_none())?;
    Some(Caller { account: key.account.clone(), scope: key.scope, key: key.prefix.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Mode;
    use crate::api_key::NewSecret;
    use crate::ports::MockApiKeyRepository;
    use time::OffsetDateTime;

    fn kept(secret: &NewSecret) -> ApiKey {
        ApiKey {
            prefix: secret.prefix.clone(),
            hash: secret.hash,
            account: "shop".parse().expect("valid"),
            scope: KeyScope::Write,
            name: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
            revoked_at: None,
        }
    }

    async fn ask(kept: Option<ApiKey>, text: &str) -> Option<Caller> {
        let mut keys = MockApiKeyRepository::new();
        keys.expect_find().returning(move |_| Ok(kept.clone()));
        let use_case = AuthenticateKey { keys: Arc::new(keys) };
        use_case.execute(&PresentedKey::of(text)).await.expect("the store answers")
    }

    #[tokio::test]
    async fn a_key_asks_in_its_accounts_name() {
        let secret = NewSecret::new(Mode::Live, [1; 32]);
        let caller = ask(Some(kept(&secret)), secret.expose()).await.expect("it is known");
        assert_eq!(caller.account.as_str(), "shop");
        assert_eq!((caller.scope, caller.key), (KeyScope::Write, secret.prefix));
    }

    #[tokio::test]
    async fn unknown_wrong_and_revoked_keys_are_nobodys() {
        let secret = NewSecret::new(Mode::Live, [1; 32]);
        assert_eq!(ask(None, secret.expose()).await, None);
        // The same beginning, with another end that checks.
        let mut random = [1; 32];
        random[31] = 2;
        let other = NewSecret::new(Mode::Live, random);
        assert_eq!(other.prefix, secret.prefix);
        assert_eq!(ask(Some(kept(&secret)), other.expose()).await, None);
        let revoked_at = Some(OffsetDateTime::UNIX_EPOCH);
        let revoked = ApiKey { revoked_at, ..kept(&secret) };
        assert_eq!(ask(Some(revoked), secret.expose()).await, None);
    }

    #[tokio::test]
    async fn what_is_no_key_never_costs_a_look_into_the_store() {
        // A mock that expects no call.
        let use_case = AuthenticateKey { keys: Arc::new(MockApiKeyRepository::new()) };
        for text in ["", "hush", "po_live_mistyped"] {
            let presented = PresentedKey::of(text);
            assert_eq!(use_case.recall(&presented).await, None);
            assert_eq!(use_case.execute(&presented).await.expect("nobody is asked"), None);
        }
    }
}
