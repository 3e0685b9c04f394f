//! How work gets onto a connection.

use std::future::Future;
use std::sync::Arc;

use payonce_domain::idempotency::{Fingerprint, RecordId, SettledAnswer};
use payonce_domain::ports::{
    AnnouncedTransaction, BoxedError, Ingested, KnownKey, OpenPayment, Opened, RepositoryError,
    Settle, Settled, Tell,
};

use super::StoreOptions;
use super::api_keys::ApiKeyStatements;
use super::backlog::BacklogStatements;
use super::charge_ledger::LedgerStatements;
use super::durability::DurabilityStatements;
use super::error::StoreError;
use super::pool_use::PoolUse;
use super::queries::Queries;
use super::statements::Statements;
use super::transaction_queue::{self, TransactionStatements};
use super::transactions;
use crate::measurements::Measurements;
use crate::migrations::Migrate;

/// The connections of one store. Work runs to its end even when its caller is dropped.
pub trait Connections: Clone + Send + Sync + Sized + 'static {
    /// A connection.
    type Connection: Statements
        + Queries
        + LedgerStatements
        + ApiKeyStatements
        + DurabilityStatements
        + BacklogStatements
        + TransactionStatements
        + Migrate;

    /// Prepares connections; connects only when asked to work.
    fn prepare(
        url: &str,
        options: StoreOptions,
        measurements: &Measurements,
    ) -> Result<Self, BoxedError>;

    /// Opens a payment, perhaps together with other callers' writes.
    fn open(
        &self,
        call: Arc<OpenPayment>,
    ) -> impl Future<Output = Result<Opened, RepositoryError>> + Send {
        self.write(move |conn| transactions::open(conn, &call))
    }

    /// Whether a look for stored answers is worth it.
    fn expects_repeats(&self) -> bool {
        false
    }

    /// The stored answer to a request, perhaps looked for together with other callers'.
    fn replay(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> impl Future<Output = Result<Option<SettledAnswer>, RepositoryError>> + Send {
        let id = record.clone();
        async move {
            let known = self.read(move |conn| conn.find_record(&id)).await?;
            let found = known.and_then(|KnownKey { record, now }| record.answer(now));
            Ok(found.and_then(|found| found.replay(fingerprint)))
        }
    }

    /// Settles a payment, perhaps together with other callers' writes.
    fn settle(
        &self,
        call: Box<Settle>,
    ) -> impl Future<Output = Result<Settled, RepositoryError>> + Send {
        self.write(move |conn| transactions::settle(conn, &call))
    }

    /// Stores an announced transaction, perhaps together with other callers' writes.
    fn ingest(
        &self,
        call: AnnouncedTransaction,
    ) -> impl Future<Output = Result<Ingested, RepositoryError>> + Send {
        self.write(move |conn| transaction_queue::ingest(conn, &call))
    }

    /// Runs `work` in one transaction, and again when it met another transaction or a dead
    /// connection.
    fn write<T, W>(&self, work: W) -> impl Future<Output = Result<T, RepositoryError>> + Send
    where
        T: Send + 'static,
        W: Fn(&mut Self::Connection) -> Result<T, StoreError> + Clone + Send + Sync + 'static;

    /// Runs `work`, which only reads.
    fn read<T, W>(&self, work: W) -> impl Future<Output = Result<T, RepositoryError>> + Send
    where
        T: Send + 'static,
        W: Fn(&mut Self::Connection) -> Result<T, StoreError> + Clone + Send + Sync + 'static;

    /// Runs `work` on a connection of its own, without the limits of the service's statements.
    fn apart<T, W>(&self, work: W) -> impl Future<Output = Result<T, BoxedError>> + Send
    where
        T: Send + 'static,
        W: FnOnce(&mut Self::Connection) -> Result<T, BoxedError> + Send + 'static;

    /// Whether there is a transaction pooler that they were not prepared for.
    fn meet_a_pooler(&self) -> impl Future<Output = Result<bool, BoxedError>> + Send {
        std::future::ready(Ok(false))
    }

    /// Tells of payments that were announced, until it is dropped; returns at once where there are
    /// no announcements.
    fn listen(&self, tell: Tell) -> impl Future<Output = ()> + Send;

    /// Each pool, as it is now.
    fn pool_use(&self) -> Vec<PoolUse>;

    /// Closes every connection that is not at work.
    fn close(&self);
}
