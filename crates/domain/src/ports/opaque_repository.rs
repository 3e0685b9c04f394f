//! Operations that move no money: answered once, then replayed.

use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::RepositoryError;
use crate::account::RequestId;
use crate::idempotency::{
    AfterExpiry, Fence, Fingerprint, Generation, IdempotencyRecord, RecordId, RecordState,
    SettledAnswer, Settlement, StoredAnswer, Subject,
};
use crate::payment::PaymentId;

/// An operation that is done once its answer is stored.
#[derive(Debug, Clone)]
pub struct StoreOpaque {
    /// The key.
    pub record: RecordId,
    /// What is asked for.
    pub fingerprint: Fingerprint,
    /// Who asks.
    pub request_id: RequestId,
    /// An id that nothing else has.
    pub candidate: PaymentId,
    /// What is answered, and replayed from then on.
    pub answer: StoredAnswer,
    /// For how long.
    pub retention: Duration,
    /// What an expired key does.
    pub after_expiry: AfterExpiry,
}

impl StoreOpaque {
    /// The record of a key that nobody has used.
    pub fn record(&self, now: OffsetDateTime) -> IdempotencyRecord {
        IdempotencyRecord {
            id: self.record.clone(),
            generation: Generation::FIRST,
            subject: Subject::Opaque,
            payment_id: self.candidate,
            fingerprint: self.fingerprint.clone(),
            request_id: self.request_id.clone(),
            fence: Fence::FIRST,
            opening_fence: Fence::FIRST,
            state: self.settled(now),
            open_until: None,
            is_awaited: false,
            first_seen_at: now,
            last_seen_at: now,
        }
    }

    /// What its record comes to at once.
    pub fn settled(&self, now: OffsetDateTime) -> RecordState {
        RecordState::Settled(Settlement {
            answer: self.answer.clone(),
            settled_at: now,
            expires_at: now + self.record.space.retention(self.retention),
        })
    }
}

/// What storing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpaqueStored {
    /// This request was the first.
    First(SettledAnswer),
    /// The stored answer of an earlier one.
    Replay(SettledAnswer),
    /// The key was used for another request.
    Mismatch,
    /// The key's answer has expired.
    Expired,
    /// The stored fingerprint was made by a rule that this build does not know.
    UnknownFingerprintVersion,
}

/// Keys of operations that move no money.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait OpaqueRepository: Send + Sync {
    /// Inserts the key with its answer if it is absent; else lets the locked record decide
    /// ([`IdempotencyRecord::claim_again`]). Of any number of racing callers, one is the first.
    async fn store(&self, call: StoreOpaque) -> Result<OpaqueStored, RepositoryError>;
}
