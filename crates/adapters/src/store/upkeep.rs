//! What a start, an operator and an end do with a store, beside its ports.

use async_trait::async_trait;
use payonce_domain::ports::{BoxedError, RepositoryError};

use super::connections::Connections;
use super::durability::DurabilityStatements;
use super::sql_store::SqlStore;
use crate::migrations::MigrationState;

/// A store's schema, surroundings and end.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Runs the migrations that are pending; returns their names.
    async fn migrate_up(&self) -> Result<Vec<String>, BoxedError>;

    /// Reverts the newest migration; returns its name, or `None` when there is none.
    async fn migrate_down(&self) -> Result<Option<String>, BoxedError>;

    /// Every migration of this build, oldest first, and whether it was run.
    async fn migration_states(&self) -> Result<Vec<MigrationState>, BoxedError>;

    /// Whether something between here and the server breaks what the store is set up to rely on:
    /// a transaction pooler that it was not told of.
    async fn meets_a_pooler(&self) -> Result<bool, BoxedError>;

    /// What of the server's settings makes trouble last longer than it must, with advice.
    async fn weaknesses(&self) -> Result<Vec<String>, RepositoryError>;

    /// Closes the connections; what is under way ends first.
    fn close(&self);
}

#[async_trait]
impl<C: Connections> Upkeep for SqlStore<C> {
    async fn migrate_up(&self) -> Result<Vec<String>, BoxedError> {
        Self::migrate_up(self).await
    }

    async fn migrate_down(&self) -> Result<Option<String>, BoxedError> {
        Self::migrate_down(self).await
    }

    async fn migration_states(&self) -> Result<Vec<MigrationState>, BoxedError> {
        Self::migration_states(self).await
    }

    async fn meets_a_pooler(&self) -> Result<bool, BoxedError> {
        self.connections.meet_a_pooler().await
    }

    async fn weaknesses(&self) -> Result<Vec<String>, RepositoryError> {
        let connections = self.connections.pool_use().iter().map(|pool| pool.limit).sum();
        self.connections
            .read(move |conn: &mut C::Connection| Ok(conn.weaknesses(connections)?))
            .await
    }

    fn close(&self) {
        Self::close(self);
    }
}
