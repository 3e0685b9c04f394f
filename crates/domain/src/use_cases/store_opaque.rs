//! Answers an operation that moves no money, once for each key.
//!
//! It is done as soon as its answer is stored, so one transaction is all of it: nobody ever waits
//! for its owner.

use std::sync::Arc;
use std::time::Duration;

use crate::account::RequestId;
use crate::idempotency::{AfterExpiry, Field, Fingerprint, RecordId, SettledAnswer, StoredAnswer};
use crate::ports::{OpaqueRepository, OpaqueStored, Random, RepositoryError, StoreOpaque};

/// The use case.
pub struct StoreOpaqueOperation {
    /// The store.
    pub repository: Arc<dyn OpaqueRepository>,
    /// Makes ids.
    pub random: Arc<dyn Random>,
    /// How long a stored answer is replayed.
    pub retention: Duration,
    /// What an expired key does.
    pub after_expiry: AfterExpiry,
}

/// One request.
#[derive(Debug, Clone)]
pub struct StoreOpaqueCommand {
    /// The key, with its account and key space.
    pub record: RecordId,
    /// Who asks.
    pub request_id: RequestId,
    /// What is asked for.
    pub payload: String,
    /// What is answered.
    pub answer: StoredAnswer,
}

/// The answer of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpaqueAnswer {
    /// The answer.
    pub answer: SettledAnswer,
    /// Whether an earlier request stored it.
    pub is_replay: bool,
}

/// Why a request gets no answer of its own.
#[derive(Debug, thiserror::Error)]
pub enum StoreOpaqueError {
    /// The key was used for another request.
    #[error("the key was used for another request")]
    KeyReused,
    /// The key's answer has expired.
    #[error("the key's answer has expired")]
    Expired,
    /// The record was written by a newer version.
    #[error("the record was written by another version of this service")]
    UnknownFingerprintVersion,
    /// The store failed; whether the answer is stored is unknown, and a repeat will tell.
    #[error("storing the operation failed")]
    Store(#[from] RepositoryError),
}

impl StoreOpaqueOperation {
    /// Stores the answer, or returns the one that is stored.
    pub async fn execute(
        &self,
        command: StoreOpaqueCommand,
    ) -> Result<OpaqueAnswer, StoreOpaqueError> {
        let field = |name, value: &str| Field { name, value: Some(value.to_owned()) };
        let fields = [field("operation", "opaque"), field("request_data", &command.payload)];
        let stored = self.repository.store(StoreOpaque {
            record: command.record,
            fingerprint: Fingerprint::of(&fields),
            request_id: command.request_id,
            candidate: self.random.payment_id(),
            answer: command.answer,
            retention: self.retention,
            after_expiry: self.after_expiry,
        });
        match stored.await? {
            OpaqueStored::First(answer) => Ok(OpaqueAnswer { answer, is_replay: false }),
            OpaqueStored::Replay(answer) => Ok(OpaqueAnswer { answer, is_replay: true }),
            OpaqueStored::Mismatch => Err(StoreOpaqueError::KeyReused),
            OpaqueStored::Expired => Err(StoreOpaqueError::Expired),
            OpaqueStored::UnknownFingerprintVersion => {
                Err(StoreOpaqueError::UnknownFingerprintVersion)
            }
        }
    }
}
