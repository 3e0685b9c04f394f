//! Redis, where there is one.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::masked_url::masked;

/// Redis, where there is one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// Where it is.
    pub url: Option<RedisUrl>,
    /// The longest time for an answer; then the service does without it.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// What every key begins with.
    pub prefix: String,
}

impl RedisSettings {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if self.timeout.is_zero() {
            problems.push("redis.timeout must be longer than zero".to_owned());
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":._-".contains(&byte);
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(is_plain) {
            problems.push(
                "redis.prefix must be 1 to 64 characters of A-Z, a-z, 0-9, ':', '.', '_' and '-'"
                    .to_owned(),
            );
        }
    }
}

/// A connection URL, which may hold a password: it prints without it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct RedisUrl(SecretString);

impl RedisUrl {
    /// The whole URL, for connecting.
    pub fn expose(&self) -> &SecretString {
        &self.0
    }
}

impl TryFrom<String> for RedisUrl {
    type Error = &'static str;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        let is_usable = Url::parse(&raw).is_ok_and(|url| match url.scheme() {
            "redis" => url.has_host(),
            "unix" => !url.has_host() && url.path().len() > 1,
            _ => false,
        });
        if !is_usable {
            return Err("must read redis://user:password@host:port/database or unix:///path, \
                        without TLS");
        }
        Ok(Self(raw.into()))
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(self.0.expose_secret()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn without_password(url: &str) -> String {
    // A socket's password stands among the parameters, and none of those is worth showing.
    masked(url, |url| url.set_query(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(raw: &str) -> Result<RedisUrl, &'static str> {
        RedisUrl::try_from(raw.to_owned())
    }

    #[test]
    fn a_password_never_prints() {
        for raw in [
            "redis://:hush@host",
            "redis://user:hush@host:6379/1",
            "unix:///run/redis.sock?pass=hush&db=1",
        ] {
            let url = url(raw).unwrap();
            assert!(!format!("{url} {url:?}").contains("hush"), "{url}");
            assert!(url.expose().expose_secret().contains("hush"));
        }
    }

    #[test]
    fn only_what_can_be_connected_to_is_taken() {
        for raw in ["redis://h", "redis://127.0.0.1:6379/0", "unix:///run/redis.sock"] {
            assert!(url(raw).is_ok(), "{raw}");
        }
        for raw in ["", "localhost:6379", "http://h", "rediss://h", "redis://", "unix://"] {
            assert!(url(raw).is_err(), "{raw}");
        }
    }
}
