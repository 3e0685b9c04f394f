//! What processing a transaction consists of.

use async_trait::async_trait;
use payonce_domain::ports::{BoxedError, TransactionProcessor};
use payonce_domain::transaction::Transaction;

/// Stands for an external call that succeeds; the delay before it stands for the time it takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImmediateProcessor;

#[async_trait]
impl TransactionProcessor for ImmediateProcessor {
    async fn process(&self, _: &Transaction) -> Result<(), BoxedError> {
        Ok(())
    }
}
