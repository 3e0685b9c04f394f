//! Whose keys and payments they are, and which request asked.

use std::fmt;
use std::str::FromStr;

/// The account that owns keys and payments; nothing crosses from one account to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(String);

impl AccountId {
    /// The name as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        match raw.len() {
            1..=64 if raw.bytes().all(is_allowed) => Ok(Self(raw.to_owned())),
            _ => Err(InvalidAccountId),
        }
    }
}

/// The text is no account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account is 1 to 64 characters of a-z, 0-9, _ and -")]
pub struct InvalidAccountId;

/// Names one HTTP request in logs and answers (`X-Request-Id`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// The token as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match raw.len() {
            1..=128 if raw.bytes().all(is_allowed) => Ok(Self(raw.to_owned())),
            _ => Err(InvalidRequestId),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no token that may be echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id is 1 to 128 characters of A-Z, a-z, 0-9, '.', '_' and '-'")]
pub struct InvalidRequestId;
