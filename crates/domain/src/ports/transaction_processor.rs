//! The call that processing a transaction consists of.

use async_trait::async_trait;

use super::BoxedError;
use crate::transaction::Transaction;

/// Processes transactions outside this service.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait TransactionProcessor: Send + Sync {
    /// Processes one transaction. A crash after the call and before its outcome is written down
    /// makes the call again: the other side must know a transaction by its key.
    ///
    /// An error says that this attempt failed; its words are kept for operators.
    async fn process(&self, transaction: &Transaction) -> Result<(), BoxedError>;
}
