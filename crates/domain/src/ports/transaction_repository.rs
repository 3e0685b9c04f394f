//! The transactions and their queue, in a store.

use std::time::Duration;

use async_trait::async_trait;

use super::RepositoryError;
use crate::account::AccountId;
use crate::idempotency::Fence;
use crate::transaction::{Transaction, TransactionContents, TransactionKey, TransactionVerdict};

/// A transaction as somebody announces it.
#[derive(Debug, Clone)]
pub struct AnnouncedTransaction {
    /// Its name.
    pub key: TransactionKey,
    /// What it is about.
    pub contents: TransactionContents,
    /// How long it waits before it is due, if it is new.
    pub delay: Duration,
}

/// What an announcement came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// It was not known, and is stored.
    New,
    /// It is known with the same contents.
    Duplicate,
    /// It is known with other contents, which stay; that somebody says otherwise is recorded.
    Conflict {
        /// The names of the fields that differ.
        fields: Vec<&'static str>,
    },
}

/// Transactions that the caller may work on while their leases last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenTransactions {
    /// Oldest first.
    pub transactions: Vec<Transaction>,
    /// When the next one that was not taken is due; `None` when there is none.
    pub next_due_in: Option<Duration>,
}

/// What an attempt at one transaction came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcludedTransaction {
    /// The transaction.
    pub key: TransactionKey,
    /// The caller's number.
    pub fence: Fence,
    /// The outcome.
    pub verdict: TransactionVerdict,
}

/// What has been said against a transaction as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionConflict {
    /// How often it was announced with other contents.
    pub times: u64,
    /// The last of those contents.
    pub last_contents: TransactionContents,
}

/// How much is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransactionBacklog {
    /// Transactions that somebody could take now.
    pub due: u64,
    /// How long the oldest of them has been due.
    pub oldest_due_for: Duration,
    /// Transactions that wait for an operator.
    pub dead: u64,
}

/// Transactions, each stored once and processed once.
///
/// Every operation is atomic and idempotent: after an error it may be repeated as it was. Times
/// that decide are the store's own.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait TransactionRepository: Send + Sync {
    /// Stores a transaction if its key is absent, else compares. Of any number of racing callers,
    /// one is told that it is new. Once it returns, nothing but the disk can lose it.
    async fn ingest(&self, announced: AnnouncedTransaction) -> Result<Ingested, RepositoryError>;

    /// Takes at most `limit` transactions that are due, oldest first, each under its next number,
    /// and those whose owner is dead. Of any number of callers at a time, each goes to one.
    async fn take_due(
        &self,
        lease: Duration,
        limit: u32,
    ) -> Result<TakenTransactions, RepositoryError>;

    /// Writes down what attempts came to, all of it or nothing; says for each, in their order,
    /// whether it still belonged to the caller. What did not is left as it is.
    async fn conclude(
        &self,
        concluded: Vec<ConcludedTransaction>,
    ) -> Result<Vec<bool>, RepositoryError>;

    /// Makes a dead transaction due again; false when it is not dead.
    async fn revive(&self, key: &TransactionKey) -> Result<bool, RepositoryError>;

    /// One transaction.
    async fn find(&self, key: &TransactionKey) -> Result<Option<Transaction>, RepositoryError>;

    /// At most `limit` dead transactions of an account, oldest first.
    async fn dead(
        &self,
        account: &AccountId,
        limit: u32,
    ) -> Result<Vec<Transaction>, RepositoryError>;

    /// What was said against a transaction, or `None` when nobody disagreed.
    async fn conflict(
        &self,
        key: &TransactionKey,
    ) -> Result<Option<TransactionConflict>, RepositoryError>;

    /// How much is left to do, over all accounts.
    async fn backlog(&self) -> Result<TransactionBacklog, RepositoryError>;
}
