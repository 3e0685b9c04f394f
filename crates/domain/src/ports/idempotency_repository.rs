//! Reads what is known of a key.

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

/// The records of keys.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait IdempotencyRepository: Send + Sync {
    /// The record of a key, or `None` when it was not seen yet.
    async fn find(&self, id: &RecordId) -> Result<Option<KnownKey>, RepositoryError>;
}
