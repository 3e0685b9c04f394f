//! Makes a key, and shows it for the only time.

use std::sync::Arc;

use crate::account::{AccountId, Mode};
use crate::api_key::{KeyName, KeyScope, NewSecret};
use crate::ports::{ApiKeyRepository, NewApiKey, Random, RepositoryError};

/// What a key is to be good for.
#[derive(Debug, Clone)]
pub struct CreateKeyCommand {
    /// In whose name it asks.
    pub account: AccountId,
    /// On which of the account's sides.
    pub mode: Mode,
    /// What it may do.
    pub scope: KeyScope,
    /// What its operator calls it.
    pub name: Option<KeyName>,
}

/// The use case.
pub struct CreateKey {
    /// The keys.
    pub keys: Arc<dyn ApiKeyRepository>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

impl CreateKey {
    /// Makes and keeps a key.
    pub async fn execute(&self, command: CreateKeyCommand) -> Result<NewSecret, RepositoryError> {
        let CreateKeyCommand { account, mode, scope, name } = command;
        let secret = NewSecret::new(mode, self.random.secret());
        let key = NewApiKey {
            prefix: secret.prefix.clone(),
            hash: secret.hash,
            account: account.in_mode(mode),
            scope,
            name,
        };
        if self.keys.insert(key).await? {
            return Ok(secret);
        }
        // One in 2^68: rather a fault of chance than chance.
        Err(RepositoryError::Refused("a key that begins like this one is there already".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::MockApiKeyRepository;
    use crate::use_cases::fixtures::LongestPauses;

    #[tokio::test]
    async fn a_key_belongs_to_the_side_of_its_mode_and_only_its_hash_is_kept() {
        let mut keys = MockApiKeyRepository::new();
        keys.expect_insert().times(1).returning(|key| {
            assert_eq!(key.account.as_str(), "shop~test");
            assert_eq!(key.prefix.mode(), Mode::Test);
            Ok(true)
        });
        let use_case = CreateKey { keys: Arc::new(keys), random: Arc::new(LongestPauses) };
        let command = CreateKeyCommand {
            account: "shop".parse().expect("valid"),
            mode: Mode::Test,
            scope: KeyScope::Read,
            name: None,
        };
        let secret = use_case.execute(command).await.expect("it is kept");
        assert!(secret.expose().starts_with(secret.prefix.as_str()));
    }
}
