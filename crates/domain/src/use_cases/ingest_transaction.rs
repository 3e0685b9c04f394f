//! Accepts a transaction that somebody announces: stored first, processed later.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::failpoints::reach;
use crate::ports::{AnnouncedTransaction, Ingested, RepositoryError, TransactionRepository};
use crate::sabotage::{Rule, is_broken};
use crate::transaction::{TransactionContents, TransactionKey};

/// The use case.
pub struct IngestTransaction {
    /// The store.
    pub repository: Arc<dyn TransactionRepository>,
    /// How long a new transaction waits before it is processed.
    pub delay: Duration,
    /// Rung for a new transaction, where the delay is shorter than the worker's sleep.
    pub bell: Option<Arc<Notify>>,
}

impl IngestTransaction {
    /// Stores the transaction, unless it is known. Once this returns it is not lost.
    pub async fn execute(
        &self,
        key: TransactionKey,
        contents: TransactionContents,
    ) -> Result<Ingested, RepositoryError> {
        let announced = AnnouncedTransaction { key, contents, delay: self.delay };
        if is_broken(Rule::Durable) {
            let repository = Arc::clone(&self.repository);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                repository.ingest(announced).await
            });
            return Ok(Ingested::New);
        }
        let ingested = self.repository.ingest(announced).await?;
        reach("webhook_inserted");
        if let (Ingested::New, Some(bell)) = (&ingested, &self.bell) {
            bell.notify_one();
        }
        Ok(ingested)
    }
}
