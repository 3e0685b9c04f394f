//! Who may ask in an account's name: keys that are shown once and then known by their hash.
//!
//! Must not know how a request carries a key.

mod secret;

use time::OffsetDateTime;

pub use secret::{InvalidKeyPrefix, KeyHash, KeyPrefix, NewSecret, PresentedKey};

use crate::account::AccountId;
use crate::text::Text;

/// What an operator calls a key.
pub type KeyName = Text<1, 100>;

/// What a key may do in its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScope {
    /// Look.
    Read,
    /// Look, and make payments.
    Write,
}

impl KeyScope {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The scope of that name.
    pub fn from_stored(name: &str) -> Option<Self> {
        match name {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            _ => None,
        }
    }

    /// Whether it lets its holder change anything.
    pub fn may_write(self) -> bool {
        self == Self::Write
    }
}

/// A key as it is kept: all but the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its beginning, which names it.
    pub prefix: KeyPrefix,
    /// The hash of the whole.
    pub hash: KeyHash,
    /// In whose name it asks; the side of the account says for which mode it is.
    pub account: AccountId,
    /// What it may do there.
    pub scope: KeyScope,
    /// What its operator calls it.
    pub name: Option<KeyName>,
    /// When it was made, by the store's clock.
    pub created_at: OffsetDateTime,
    /// When it ceased to be good.
    pub revoked_at: Option<OffsetDateTime>,
}
