//! Whose keys and payments they are, and which request asked.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Whether money is meant to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// It is.
    Live,
    /// It is not: payments of this mode never reach a gateway that moves money.
    Test,
}

impl Mode {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl FromStr for Mode {
    type Err = InvalidMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(InvalidMode),
        }
    }
}

/// The text is no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mode is \"live\" or \"test\"")]
pub struct InvalidMode;

/// Ends the name of an account's test side. No account's own name can end so.
const TEST_SIDE: &str = "~test";

/// The account that owns keys and payments; nothing crosses from one account to another.
///
/// Its test side is an account of its own: `shop~test` beside `shop`. So test and live keys,
/// payments and limits are apart wherever accounts are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// The name as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which of the account's sides it is.
    pub fn mode(&self) -> Mode {
        if self.0.ends_with(TEST_SIDE) { Mode::Test } else { Mode::Live }
    }

    /// The account's name, whichever of its sides it is.
    pub fn name(&self) -> &str {
        self.0.strip_suffix(TEST_SIDE).unwrap_or(&self.0)
    }

    /// The account's side of that mode.
    #[must_use]
    pub fn in_mode(&self, mode: Mode) -> Self {
        match mode {
            Mode::Live => Self(self.name().into()),
            Mode::Test => Self(format!("{}{TEST_SIDE}", self.name()).into()),
        }
    }
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        let name = raw.strip_suffix(TEST_SIDE).unwrap_or(raw);
        match name.len() {
            1..=64 if name.bytes().all(is_allowed) => Ok(Self(raw.into())),
            _ => Err(InvalidAccountId),
        }
    }
}

/// The text is no account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an account is 1 to 64 characters of a-z, 0-9, _ and -, and ~test after it for its test side"
)]
pub struct InvalidAccountId;

/// Names one HTTP request in logs and answers (`X-Request-Id`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

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
            1..=128 if raw.bytes().all(is_allowed) => Ok(Self(raw.into())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accounts_test_side_is_another_account_of_the_same_name() {
        let live: AccountId = "shop".parse().expect("valid");
        let test = live.in_mode(Mode::Test);
        assert_eq!((test.as_str(), test.name(), test.mode()), ("shop~test", "shop", Mode::Test));
        assert_eq!(test.as_str().parse(), Ok(test.clone()));
        assert_eq!((live.mode(), test.in_mode(Mode::Live)), (Mode::Live, live.clone()));
        assert_eq!(test.in_mode(Mode::Test), test);
        for raw in ["", "~test", "shop~", "shop~live", "shop~test~test", "Shop", "a b"] {
            assert_eq!(raw.parse::<AccountId>(), Err(InvalidAccountId), "{raw}");
        }
    }
}
