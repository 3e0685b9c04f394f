//! Answers an operation that moves no money, once for each key.
//!
//! It is done as soon as its answer is stored, so one transaction is all of it: nobody ever waits
//! for its owner.

use std::sync::Arc;
use std::time::Duration;

use super::Replays;
use crate::account::RequestId;
use crate::idempotency::{AfterExpiry, Field, Fingerprint, RecordId, SettledAnswer, StoredAnswer};
use crate::ports::{OpaqueRepository, OpaqueStored, Random, RepositoryError, StoreOpaque};

/// The use case.
pub struct StoreOpaqueOperation {
    /// The store.
    pub repository: Arc<dyn OpaqueRepository>,
    /// Answers that are at hand.
    pub replays: Arc<Replays>,
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
    pub answer: Arc<SettledAnswer>,
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
        let payload = command.payload.as_str();
        let fields = [Field::with("operation", "opaque"), Field::with("request_data", payload)];
        let fingerprint = Fingerprint::of(&fields);
        if let Some(answer) = self.replays.find(&command.record, &fingerprint).await {
            return Ok(OpaqueAnswer { answer, is_replay: true });
        }
        let asked_at = self.replays.now();
        let record = command.record.clone();
        let stored = self.repository.store(StoreOpaque {
            record: command.record,
            fingerprint: fingerprint.clone(),
            request_id: command.request_id,
            candidate: self.random.payment_id(),
            answer: command.answer,
            retention: self.retention,
            after_expiry: self.after_expiry,
        });
        let (answer, is_replay) = match stored.await? {
            OpaqueStored::First(answer) => (Arc::new(answer), false),
            OpaqueStored::Replay(answer) => (Arc::new(answer), true),
            OpaqueStored::Mismatch => return Err(StoreOpaqueError::KeyReused),
            OpaqueStored::Expired => return Err(StoreOpaqueError::Expired),
            OpaqueStored::UnknownFingerprintVersion => {
                return Err(StoreOpaqueError::UnknownFingerprintVersion);
            }
        };
        self.replays.remember(record, fingerprint, &answer, asked_at);
        Ok(OpaqueAnswer { answer, is_replay })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{MockOpaqueRepository, MockReplayCache};
    use crate::use_cases::fixtures::{self, LongestPauses, TestClock, settled};

    fn operation(cache: MockReplayCache, store: MockOpaqueRepository) -> StoreOpaqueOperation {
        StoreOpaqueOperation {
            repository: Arc::new(store),
            replays: Arc::new(Replays { cache: Some(Arc::new(cache)), clock: TestClock::new() }),
            random: Arc::new(LongestPauses),
            retention: Duration::from_secs(60),
            after_expiry: AfterExpiry::Refuse,
        }
    }

    fn command(payload: &str) -> StoreOpaqueCommand {
        StoreOpaqueCommand {
            record: fixtures::record(),
            request_id: "req-1".parse().expect("valid"),
            payload: payload.to_owned(),
            answer: settled("new").answer,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_store_told_once_it_is_not_asked_again_and_only_for_that() {
        let kept = Arc::new(std::sync::Mutex::new(None));
        let (keep, find) = (Arc::clone(&kept), Arc::clone(&kept));
        let mut cache = MockReplayCache::new();
        cache.expect_remember().once().returning(move |it| *fixtures::lock(&keep) = Some(it));
        cache.expect_find().returning(move |_| fixtures::lock(&find).clone());
        let mut store = MockOpaqueRepository::new();
        store.expect_store().once().returning(|_| Ok(OpaqueStored::First(settled("paid"))));
        store.expect_store().once().returning(|_| Ok(OpaqueStored::Mismatch));
        let operation = operation(cache, store);
        for is_replay in [false, true, true] {
            let answered = operation.execute(command("data")).await.expect("it is answered");
            let answer = Arc::new(settled("paid"));
            assert_eq!(answered, OpaqueAnswer { answer, is_replay });
        }
        let other = operation.execute(command("other data")).await;
        assert!(matches!(other, Err(StoreOpaqueError::KeyReused)), "{other:?}");
    }
}
