//! Settings that a store must always be used with.

use async_trait::async_trait;

use super::RepositoryError;

/// Remembers the check values of settings that must never change under a store's payments.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PinnedSettings: Send + Sync {
    /// Stores the check value if the setting has none yet; false when it has another. Of racing
    /// callers with different values, one wins.
    async fn pin(&self, name: &str, check_value: &str) -> Result<bool, RepositoryError>;
}
