//! Whether what is committed stays.

use async_trait::async_trait;

use super::RepositoryError;

/// Tells what could make a store forget what it committed.
#[async_trait]
pub trait Durability: Send + Sync {
    /// Each setting of the store under which a power failure may lose commits, with its value.
    async fn risks(&self) -> Result<Vec<String>, RepositoryError>;
}
