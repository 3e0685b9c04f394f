//! Answers what was answered before without asking the store, where a cache is there for it.
//!
//! Only what the store has committed comes in, and every hit is compared with the request: its
//! account, its key and its fingerprint.

use std::sync::Arc;
use std::time::Duration;

use crate::idempotency::{Fingerprint, RecordId, SettledAnswer};
use crate::ports::{CachedAnswer, Clock, ReplayCache};

/// The replays of this process.
pub struct Replays {
    /// Where they are kept; `None` leaves everything to the store.
    pub cache: Option<Arc<dyn ReplayCache>>,
    /// Measures what is left of them.
    pub clock: Arc<dyn Clock>,
}

impl Replays {
    /// The answer to the same request, if it is at hand. Whoever gets none asks the store, which
    /// also says in what another request differs.
    pub async fn find(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> Option<Arc<SettledAnswer>> {
        let found = self.cache.as_ref()?.find(record).await?;
        found.answers(record, fingerprint).then(|| Arc::clone(&found.answer))
    }

    /// Reads the clock, before the store is asked: an answer's life counts from there.
    pub fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Whether anything is kept.
    pub fn is_on(&self) -> bool {
        self.cache.is_some()
    }

    /// Keeps an answer that the store told of, after the clock read `asked_at`.
    pub fn remember(
        &self,
        record: RecordId,
        fingerprint: Fingerprint,
        answer: &Arc<SettledAnswer>,
        asked_at: Duration,
    ) {
        if let Some(cache) = &self.cache {
            let answer = Arc::clone(answer);
            cache.remember(Arc::new(CachedAnswer::new(record, fingerprint, answer, asked_at)));
        }
    }
}
