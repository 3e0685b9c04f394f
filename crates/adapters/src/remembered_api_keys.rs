//! Keys, remembered for a moment: a busy client's key is not asked for with every request.
//!
//! What is not known is remembered too. A key that was revoked is forgotten within that moment by
//! every instance.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use payonce_domain::account::AccountId;
use payonce_domain::api_key::{ApiKey, KeyPrefix};
use payonce_domain::ports::{ApiKeyRepository, NewApiKey, RepositoryError};

/// Together with the time for one look into the store less than the 5 seconds that a revocation
/// may take.
const MOMENT: Duration = Duration::from_secs(2);
/// Most keys that are remembered.
const PLACES: u64 = 10_000;

/// Keys in front of a store.
pub struct RememberedApiKeys {
    store: Arc<dyn ApiKeyRepository>,
    known: Cache<KeyPrefix, Option<ApiKey>>,
}

impl RememberedApiKeys {
    /// Remembers what that store knows.
    pub fn new(store: Arc<dyn ApiKeyRepository>) -> Self {
        let known = Cache::builder().max_capacity(PLACES).time_to_live(MOMENT).build();
        Self { store, known }
    }
}

#[async_trait]
impl ApiKeyRepository for RememberedApiKeys {
    async fn insert(&self, key: NewApiKey) -> Result<bool, RepositoryError> {
        let prefix = key.prefix.clone();
        let inserted = self.store.insert(key).await;
        self.known.invalidate(&prefix).await;
        inserted
    }

    /// A crowd with one key asks the store once.
    async fn find(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, RepositoryError> {
        let found = self.known.try_get_with_by_ref(prefix, self.store.find(prefix)).await;
        found.map_err(|error| match Arc::try_unwrap(error) {
            Ok(error) => error,
            // Somebody else of the crowd holds it too.
            Err(shared) => RepositoryError::Unavailable(Box::new(shared)),
        })
    }

    async fn recall(&self, prefix: &KeyPrefix) -> Option<Option<ApiKey>> {
        self.known.get(prefix).await
    }

    async fn list(&self, account: Option<AccountId>) -> Result<Vec<ApiKey>, RepositoryError> {
        self.store.list(account).await
    }

    async fn revoke(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, RepositoryError> {
        let revoked = self.store.revoke(prefix).await;
        self.known.invalidate(prefix).await;
        revoked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payonce_domain::account::Mode;
    use payonce_domain::api_key::NewSecret;
    use payonce_domain::ports::MockApiKeyRepository;

    fn prefix() -> KeyPrefix {
        NewSecret::new(Mode::Live, [1; 32]).prefix
    }

    #[test]
    fn a_revocation_is_known_everywhere_within_five_seconds() {
        // A look may take as long as a statement may, beside the wait for a connection.
        assert!(MOMENT + Duration::from_secs(3) <= Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_crowd_asks_the_store_once_and_what_is_unknown_is_remembered() {
        let mut store = MockApiKeyRepository::new();
        store.expect_find().times(1).returning(|_| Ok(None));
        let keys = Arc::new(RememberedApiKeys::new(Arc::new(store)));
        assert_eq!(keys.recall(&prefix()).await, None);
        let crowd = (0..50).map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.find(&prefix()).await.expect("the store answers") })
        });
        for one in crowd.collect::<Vec<_>>() {
            assert_eq!(one.await.expect("no panic"), None);
        }
        assert_eq!(keys.recall(&prefix()).await, Some(None));
    }

    #[tokio::test]
    async fn what_the_store_could_not_tell_is_not_remembered() {
        let mut store = MockApiKeyRepository::new();
        let away = || RepositoryError::Unavailable("away".into());
        store.expect_find().times(2).returning(move |_| Err(away()));
        let keys = RememberedApiKeys::new(Arc::new(store));
        for _ in 0..2 {
            let found = keys.find(&prefix()).await;
            assert!(matches!(found, Err(RepositoryError::Unavailable(_))), "{found:?}");
            assert_eq!(keys.recall(&prefix()).await, None);
        }
    }
}
