//! Reads what is known of a key.

use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::RepositoryError;
use crate::idempotency::{IdempotencyRecord, RecordId};

/// A record with the store's time at which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// The record.
    pub record: IdempotencyRecord,
    /// The store's clock.
    pub now: OffsetDateTime,
}

/// Asks for a bounded piece of cleaning.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// How long a key is remembered after its answer was stored.
    pub memory: Duration,
    /// Most rows of each kind.
    pub limit: u32,
}

/// What a [`Sweep`] cleaned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Answers dropped.
    pub purged: u32,
    /// Keys forgotten.
    pub forgotten: u32,
}

/// The records of keys.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait IdempotencyRepository: Send + Sync {
    /// The record of a key, or `None` when it was not seen yet.
    async fn find(&self, id: &RecordId) -> Result<Option<KnownKey>, RepositoryError>;

    /// Drops stored answers that have expired, then keys that need not be remembered any longer;
    /// never an unsettled one. Passes over rows that somebody else holds.
    async fn sweep(&self, sweep: Sweep) -> Result<Swept, RepositoryError>;
}
