//! The queue of announced transactions: load the row under its lock, let the domain decide, save.

mod rows;
mod statements;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use payonce_domain::account::AccountId;
use payonce_domain::idempotency::differing_fields;
use payonce_domain::ports::{
    AnnouncedTransaction, ConcludedTransaction, Ingested, RepositoryError, TakenTransactions,
    TransactionBacklog, TransactionConflict, TransactionRepository,
};
use payonce_domain::transaction::{Transaction, TransactionKey};

pub use self::rows::{ConflictRow, TransactionRow};
pub use self::statements::TransactionStatements;
pub(crate) use self::statements::shared_transaction_statements;
use super::connections::Connections;
use super::error::StoreError;
use super::sql_store::SqlStore;
use super::values::SqlTime;

/// Inserts a transaction if its key is absent; else compares, and records a disagreement.
pub fn ingest(
    store: &mut impl TransactionStatements,
    call: &AnnouncedTransaction,
) -> Result<Ingested, StoreError> {
    let now = store.now()?;
    let (key, contents) = (call.key.clone(), call.contents.clone());
    let announced = Transaction::accepted(key, contents, call.delay, now);
    if store.insert_transaction_if_absent(&TransactionRow::from(&announced))? {
        return Ok(Ingested::New);
    }
    // Contents never change and rows are never deleted: no lock is needed to compare.
    let row = store.transaction(&call.key)?.ok_or_else(|| {
        let place = format!("transactions.transaction_id {}", call.key.id);
        StoreError::inconsistent(place, "a transaction that was there is gone")
    })?;
    let stored = Transaction::try_from(row)?;
    if stored.contents == call.contents {
        return Ok(Ingested::Duplicate);
    }
    store.note_conflict(&ConflictRow::new(&call.key, &call.contents, now))?;
    let fields = differing_fields(&stored.contents.fields(), &call.contents.fields());
    Ok(Ingested::Conflict { fields })
}

/// Takes what is due, each under its next number. Rows that another caller holds are passed over.
fn take_due(
    store: &mut impl TransactionStatements,
    lease: Duration,
    limit: u32,
) -> Result<TakenTransactions, StoreError> {
    let now = store.now()?;
    let mut transactions = Vec::new();
    for row in store.lock_due_transactions(SqlTime::truncated(now), limit)? {
        let mut transaction = Transaction::try_from(row)?;
        if transaction.take(lease, now) {
            store.save_transaction(&TransactionRow::from(&transaction))?;
            transactions.push(transaction);
        }
    }
    let next = store.next_due()?;
    let next_due_in = next.map(|due_at| (due_at.0 - now).try_into().unwrap_or_default());
    Ok(TakenTransactions { transactions, next_due_in })
}

/// Writes down what attempts came to, where they still belong to the caller.
fn conclude(
    store: &mut impl TransactionStatements,
    batch: &[ConcludedTransaction],
) -> Result<Vec<bool>, StoreError> {
    let mut keys: Vec<_> = batch.iter().map(|one| &one.key).collect();
    keys.sort_unstable();
    let locked = store.lock_transactions(&keys)?;
    let now = store.now()?;
    let mut stored = locked
        .into_iter()
        .map(|row| Transaction::try_from(row).map(|it| (it.key.clone(), it)))
        .collect::<Result<BTreeMap<_, _>, _>>()?;
    let mut stood = Vec::with_capacity(batch.len());
    for one in batch {
        let Some(transaction) = stored.get_mut(&one.key) else {
            stood.push(false);
            continue;
        };
        let before = transaction.state;
        stood.push(transaction.conclude(one.fence, &one.verdict, now).is_ok());
        if transaction.state != before {
            store.save_transaction(&TransactionRow::from(&*transaction))?;
        }
    }
    Ok(stood)
}

fn revive(
    store: &mut impl TransactionStatements,
    key: &TransactionKey,
) -> Result<bool, StoreError> {
    let Some(row) = store.lock_transactions(&[key])?.pop() else {
        return Ok(false);
    };
    let mut transaction = Transaction::try_from(row)?;
    let is_revived = transaction.revive(store.now()?);
    if is_revived {
        store.save_transaction(&TransactionRow::from(&transaction))?;
    }
    Ok(is_revived)
}

fn backlog(store: &mut impl TransactionStatements) -> Result<TransactionBacklog, StoreError> {
    let now = store.now()?;
    let due = store.count_due(SqlTime::truncated(now))?.unsigned_abs();
    let oldest = store.next_due()?;
    let oldest_due_for = oldest.and_then(|due_at| (now - due_at.0).try_into().ok());
    let dead = store.count_dead()?.unsigned_abs();
    Ok(TransactionBacklog { due, oldest_due_for: oldest_due_for.unwrap_or_default(), dead })
}

#[async_trait]
impl<C: Connections> TransactionRepository for SqlStore<C> {
    async fn ingest(&self, announced: AnnouncedTransaction) -> Result<Ingested, RepositoryError> {
        self.connections.ingest(announced).await
    }

    async fn take_due(
        &self,
        lease: Duration,
        limit: u32,
    ) -> Result<TakenTransactions, RepositoryError> {
        self.connections.write(move |conn| take_due(conn, lease, limit)).await
    }

    async fn conclude(
        &self,
        concluded: Vec<ConcludedTransaction>,
    ) -> Result<Vec<bool>, RepositoryError> {
        self.connections.write(move |conn| conclude(conn, &concluded)).await
    }

    async fn revive(&self, key: &TransactionKey) -> Result<bool, RepositoryError> {
        let key = key.clone();
        self.connections.write(move |conn| revive(conn, &key)).await
    }

    async fn find(&self, key: &TransactionKey) -> Result<Option<Transaction>, RepositoryError> {
        let key = key.clone();
        let find = move |conn: &mut C::Connection| {
            conn.transaction(&key)?.map(Transaction::try_from).transpose()
        };
        self.connections.read(find).await
    }

    async fn dead(
        &self,
        account: &AccountId,
        limit: u32,
    ) -> Result<Vec<Transaction>, RepositoryError> {
        let account = account.clone();
        let dead = move |conn: &mut C::Connection| {
            let rows = conn.dead_transactions(&account, limit)?;
            rows.into_iter().map(Transaction::try_from).collect()
        };
        self.connections.read(dead).await
    }

    async fn conflict(
        &self,
        key: &TransactionKey,
    ) -> Result<Option<TransactionConflict>, RepositoryError> {
        let key = key.clone();
        let conflict = move |conn: &mut C::Connection| {
            conn.conflict(&key)?.map(TransactionConflict::try_from).transpose()
        };
        self.connections.read(conflict).await
    }

    async fn backlog(&self) -> Result<TransactionBacklog, RepositoryError> {
        self.connections.read(backlog).await
    }
}
