//! The keys of accounts.

use async_trait::async_trait;

use super::RepositoryError;
use crate::account::AccountId;
use crate::api_key::{ApiKey, KeyHash, KeyName, KeyPrefix, KeyScope};

/// A key that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// Its beginning.
    pub prefix: KeyPrefix,
    /// Its hash.
    pub hash: KeyHash,
    /// In whose name it asks.
    pub account: AccountId,
    /// What it may do.
    pub scope: KeyScope,
    /// What its operator calls it.
    pub name: Option<KeyName>,
}

/// Keeps keys, each by its beginning and its hash.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait ApiKeyRepository: Send + Sync {
    /// Keeps a key; false when another one begins alike.
    async fn insert(&self, key: NewApiKey) -> Result<bool, RepositoryError>;

    /// The key that begins so.
    async fn find(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, RepositoryError>;

    /// What is known of a key without asking the store; `None` where that is nothing.
    async fn recall(&self, _prefix: &KeyPrefix) -> Option<Option<ApiKey>> {
        None
    }

    /// Every key, of both sides of one account or of all accounts, by account and age.
    async fn list(&self, account: Option<AccountId>) -> Result<Vec<ApiKey>, RepositoryError>;

    /// Ends a key for good, and returns it as it was before; `None` when there is none.
    async fn revoke(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, RepositoryError>;
}
