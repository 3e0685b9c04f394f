//! Processes transactions that are due, each once, however many workers there are.
//!
//! A worker takes as many as it has room for, lets each run in a task of its own, and writes the
//! outcomes of all that ended meanwhile in one transaction: one that hangs delays no other.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::failpoints::reach;
use crate::ports::{
    Clock, ConcludedTransaction, RepositoryError, TransactionProcessor, TransactionRepository,
};
use crate::transaction::{Transaction, TransactionVerdict};

/// How often, how long and how far apart a transaction is tried.
#[derive(Debug, Clone, Copy)]
pub struct ProcessingTerms {
    /// Attempts before an operator decides.
    pub attempts: u32,
    /// The longest time for one attempt.
    pub timeout: Duration,
    /// How long a worker may work without a sign of life; longer than one attempt.
    pub lease: Duration,
    /// The pause after the first failure; it doubles with each further one.
    pub first_delay: Duration,
    /// The longest pause.
    pub longest_delay: Duration,
    /// Most transactions that one worker has under way.
    pub at_a_time: u32,
}

impl ProcessingTerms {
    /// What a failed attempt of this number leads to.
    fn after_failure(&self, attempt: u32, reason: String) -> TransactionVerdict {
        if attempt >= self.attempts {
            return TransactionVerdict::Dead { reason };
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let after = self.first_delay.saturating_mul(1_u32 << doublings).min(self.longest_delay);
        TransactionVerdict::RetryLater { after, reason }
    }
}

/// The use case. Any number of instances may run it at once.
pub struct ProcessTransactions {
    /// The store.
    pub repository: Arc<dyn TransactionRepository>,
    /// What processing consists of.
    pub processor: Arc<dyn TransactionProcessor>,
    /// Measures leases.
    pub clock: Arc<dyn Clock>,
    /// Tasks that a shutdown waits for.
    pub tasks: TaskTracker,
    /// Rings when there may be work that need not wait for the next look.
    pub bell: Arc<Notify>,
    /// How it is done.
    pub terms: ProcessingTerms,
}

/// What one worker has under way, and what it has not written down yet.
#[derive(Debug, Default)]
pub struct TransactionsUnderWay {
    attempts: JoinSet<Option<ConcludedTransaction>>,
    unwritten: Vec<ConcludedTransaction>,
    interrupted: Vec<JoinError>,
}

impl TransactionsUnderWay {
    /// Resolves once an attempt has ended, and never while there is none. Dropping the wait loses
    /// nothing.
    pub async fn ended(&mut self) {
        let Some(first) = self.attempts.join_next().await else {
            return pending().await;
        };
        self.note(first);
        while let Some(next) = self.attempts.try_join_next() {
            self.note(next);
        }
    }

    /// Attempts that have not ended.
    pub fn running(&self) -> usize {
        self.attempts.len()
    }

    /// Whether there are outcomes that could not be written down yet.
    pub fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    fn note(&mut self, ended: Result<Option<ConcludedTransaction>, JoinError>) {
        match ended {
            Ok(concluded) => self.unwritten.extend(concluded),
            Err(stopped) => self.interrupted.push(stopped),
        }
    }
}

/// What was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BegunTransactions {
    /// Transactions taken.
    pub taken: usize,
    /// When the next one is due; `None` when there is none.
    pub next_due_in: Option<Duration>,
    /// Whether there was no room for all that may be due.
    pub has_more: bool,
}

/// What was written down.
#[derive(Debug, Default)]
pub struct WrittenTransactions {
    /// Transactions that are processed now.
    pub processed: usize,
    /// Those that are tried again later.
    pub retried: usize,
    /// Those that wait for an operator.
    pub dead: usize,
    /// Those that somebody else has taken meanwhile.
    pub lost: usize,
    /// What kept some from being written down.
    pub failures: Vec<RepositoryError>,
    /// Attempts that broke off; the next owner goes on.
    pub interrupted: Vec<JoinError>,
}

impl ProcessTransactions {
    /// Takes what is due, as far as there is room, and begins with all of it.
    pub async fn begin(
        &self,
        under_way: &mut TransactionsUnderWay,
    ) -> Result<BegunTransactions, RepositoryError> {
        let busy = under_way.attempts.len().saturating_add(under_way.unwritten.len());
        let room = self.terms.at_a_time.saturating_sub(u32::try_from(busy).unwrap_or(u32::MAX));
        if room == 0 {
            return Ok(BegunTransactions { has_more: true, ..BegunTransactions::default() });
        }
        let leased_at = self.clock.elapsed();
        let due = self.repository.take_due(self.terms.lease, room).await?;
        let taken = due.transactions.len();
        if taken > 0 {
            reach("webhook_claimed");
        }
        for transaction in due.transactions {
            let attempt = self.attempt(transaction, leased_at);
            under_way.attempts.spawn(self.tasks.track_future(attempt));
        }
        let has_more = taken >= usize::try_from(room).unwrap_or(usize::MAX);
        Ok(BegunTransactions { taken, next_due_in: due.next_due_in, has_more })
    }

    /// Writes down what has ended. What cannot be written now is kept for the next call.
    pub async fn write_down(&self, under_way: &mut TransactionsUnderWay) -> WrittenTransactions {
        let mut written = WrittenTransactions {
            interrupted: std::mem::take(&mut under_way.interrupted),
            ..WrittenTransactions::default()
        };
        let ended = std::mem::take(&mut under_way.unwritten);
        if ended.is_empty() {
            return written;
        }
        match self.repository.conclude(ended.clone()).await {
            Ok(stood) => {
                reach("webhook_marked");
                written.count(&ended, &stood);
            }
            Err(error @ RepositoryError::Unavailable(_)) => {
                written.failures.push(error);
                under_way.unwritten = ended;
            }
            // One bad row stops no other.
            Err(_) => {
                for one in ended {
                    match self.repository.conclude(vec![one.clone()]).await {
                        Ok(stood) => written.count(&[one], &stood),
                        Err(error) => {
                            if matches!(error, RepositoryError::Unavailable(_)) {
                                under_way.unwritten.push(one);
                            }
                            written.failures.push(error);
                        }
                    }
                }
            }
        }
        written
    }

    /// One attempt; `None` where its lease may end before it does.
    fn attempt(
        &self,
        transaction: Transaction,
        leased_at: Duration,
    ) -> impl Future<Output = Option<ConcludedTransaction>> + Send + use<> {
        let (processor, clock) = (Arc::clone(&self.processor), Arc::clone(&self.clock));
        let terms = self.terms;
        async move {
            let spent = clock.elapsed().saturating_sub(leased_at);
            if spent.saturating_add(terms.timeout) > terms.lease {
                return None;
            }
            let verdict = if transaction.attempts > terms.attempts {
                // Each owner died: the next would too.
                let last = transaction.last_failure.as_deref().unwrap_or("no attempt has ended");
                TransactionVerdict::Dead { reason: last.to_owned() }
            } else {
                let failed = |reason| terms.after_failure(transaction.attempts, reason);
                match timeout(terms.timeout, processor.process(&transaction)).await {
                    Ok(Ok(())) => TransactionVerdict::Processed,
                    Ok(Err(error)) => failed(reason(error.as_ref())),
                    Err(_late) => failed(format!("no answer within {:?}", terms.timeout)),
                }
            };
            reach("webhook_applied");
            Some(ConcludedTransaction { key: transaction.key, fence: transaction.fence, verdict })
        }
    }
}

impl WrittenTransactions {
    fn count(&mut self, ended: &[ConcludedTransaction], stood: &[bool]) {
        for (one, &stands) in ended.iter().zip(stood) {
            let counter = match one.verdict {
                _ if !stands => &mut self.lost,
                TransactionVerdict::Processed => &mut self.processed,
                TransactionVerdict::RetryLater { .. } => &mut self.retried,
                TransactionVerdict::Dead { .. } => &mut self.dead,
            };
            *counter = counter.saturating_add(1);
        }
    }
}

/// An error with what lies behind it, in as few characters as a store keeps.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words.chars().map(|it| if it.is_control() { ' ' } else { it }).take(500).collect()
}
