//! What a gateway may say, and what may be concluded from it.
//!
//! The classes are those of the gateway protocol; whatever is not understood is *unknown*. Must
//! not know how a gateway is reached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::idempotency::{Generation, RecordId};

/// Which gateway holds a payment's charge: an instance with another identity never touches it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayIdentity {
    /// The kind of adapter, such as `simulated` or `http`.
    pub kind: Arc<str>,
    /// Where it is reached; empty for one that lives in the process.
    pub base_url: Arc<str>,
    /// The merchant's account there; empty when it has none.
    pub account: Arc<str>,
}

/// The key under which a gateway knows a payment, one for each payment, for ever the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayKey(pub Uuid);

impl fmt::Display for GatewayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Derives gateway keys, so that even a database restored to an earlier point sends the same key.
#[derive(Clone)]
pub struct GatewayKeySecret(Arc<[u8]>);

impl GatewayKeySecret {
    /// Takes the secret's bytes.
    pub fn new(secret: &[u8]) -> Self {
        Self(secret.into())
    }

    /// HMAC-SHA-256 over account, key space, key and generation, as a UUID (version 8, RFC 9562).
    pub fn derive(&self, record: &RecordId, generation: Generation) -> GatewayKey {
        let mut bytes = [0; 16];
        let digest = self.digest(record, generation);
        for (byte, from) in bytes.iter_mut().zip(digest) {
            *byte = from;
        }
        GatewayKey(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Tells this secret from another without giving it away.
    pub fn check_value(&self) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        mac.update(b"payonce: check value of the key secret");
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn digest(&self, record: &RecordId, generation: Generation) -> impl Iterator<Item = u8> {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        for part in [record.account.as_str(), record.space.as_str(), record.key.as_str()] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(&generation.0.to_be_bytes());
        mac.finalize().into_bytes().into_iter()
    }
}

impl fmt::Debug for GatewayKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayKeySecret(***)")
    }
}

/// A charge as the gateway reports it, already checked to carry our key, amount and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The gateway's own id of the charge.
    pub reference: String,
}

/// A refusal by the issuer: no money moved under this key and none will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decline {
    /// The gateway's own id of the declined charge.
    pub reference: Option<String>,
    /// The issuer's reason.
    pub code: Option<String>,
}

/// What one send of a charge proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// Money moved.
    Approved(Charge),
    /// No money moved and none will.
    Declined(Decline),
    /// The key is burnt: no money moved and none will.
    Voided,
    /// The gateway was not reached: this send did nothing, earlier ones may have.
    Unreachable {
        /// For the timeline.
        reason: String,
    },
    /// The gateway refused this send before it did anything; earlier ones may have.
    NotExecuted {
        /// For the timeline.
        reason: String,
        /// What the gateway asked to wait.
        retry_after: Option<Duration>,
    },
    /// Anything may have happened.
    Unknown {
        /// For the timeline.
        reason: String,
    },
}

/// What a look-up by key proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUpOutcome {
    /// Money moved, unless a void is on its way.
    Approved(Charge),
    /// No money moved and none will.
    Declined(Decline),
    /// The key is burnt.
    Voided,
    /// The gateway answers that it has not seen the key: no proof, as a request on its way may
    /// still arrive.
    Unseen {
        /// For the timeline.
        reason: String,
    },
    /// Nothing.
    Nothing {
        /// For the timeline.
        reason: String,
    },
}

/// What a void by key proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoidOutcome {
    /// The key is burnt: no money moved and none will.
    Voided,
    /// It had been declined before; that stays.
    Declined(Decline),
    /// It had been approved before and is beyond voiding: money moved for good.
    Settled(Charge),
    /// Nothing: the void may have happened or may happen later.
    Nothing {
        /// For the timeline.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idempotency::{IdempotencyKey, KeySpace};

    fn record(account: &str, key: &str) -> RecordId {
        RecordId {
            account: account.parse().expect("valid"),
            space: KeySpace::Key,
            key: key.parse::<IdempotencyKey>().expect("valid"),
        }
    }

    #[test]
    fn a_gateway_key_depends_on_secret_account_key_and_generation_and_on_nothing_else() {
        let secret = GatewayKeySecret::new(b"one");
        let key = secret.derive(&record("a", "k"), Generation(1));
        assert_eq!(key, GatewayKeySecret::new(b"one").derive(&record("a", "k"), Generation(1)));
        assert_ne!(key, GatewayKeySecret::new(b"two").derive(&record("a", "k"), Generation(1)));
        assert_ne!(key, secret.derive(&record("b", "k"), Generation(1)));
        assert_ne!(key, secret.derive(&record("a", "l"), Generation(1)));
        assert_ne!(key, secret.derive(&record("a", "k"), Generation(2)));
        assert_eq!(key.0.get_version_num(), 8);
    }

    #[test]
    fn a_check_value_tells_secrets_apart_and_holds_none() {
        let one = GatewayKeySecret::new(b"one").check_value();
        assert_eq!(one, GatewayKeySecret::new(b"one").check_value());
        assert_ne!(one, GatewayKeySecret::new(b"two").check_value());
        assert_eq!(one.len(), 64);
    }

    #[test]
    fn the_secret_never_prints() {
        assert_eq!(format!("{:?}", GatewayKeySecret::new(b"hush")), "GatewayKeySecret(***)");
    }
}
