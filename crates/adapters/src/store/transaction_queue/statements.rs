//! The statements that the queue's transactions are made of.

use diesel::QueryResult;
use payonce_domain::account::AccountId;
use payonce_domain::transaction::TransactionKey;

use super::rows::{ConflictRow, TransactionRow};
use crate::store::statements::Statements;
use crate::store::values::SqlTime;

/// The queue's statements, on an open transaction of one store.
pub trait TransactionStatements: Statements {
    /// Inserts a transaction; false when its key is there already. Waits for a racing insert.
    fn insert_transaction_if_absent(&mut self, row: &TransactionRow) -> QueryResult<bool>;

    /// Reads a transaction.
    fn transaction(&mut self, key: &TransactionKey) -> QueryResult<Option<TransactionRow>>;

    /// Reads transactions in the order of their keys, and keeps others from deciding about them.
    fn lock_transactions(&mut self, keys: &[&TransactionKey]) -> QueryResult<Vec<TransactionRow>>;

    /// Reads transactions that are due, oldest first, and keeps others from deciding about them;
    /// passes over those that somebody else holds.
    fn lock_due_transactions(
        &mut self,
        now: SqlTime,
        limit: u32,
    ) -> QueryResult<Vec<TransactionRow>>;

    /// Writes a locked transaction back.
    fn save_transaction(&mut self, row: &TransactionRow) -> QueryResult<usize>;

    /// When the oldest is or was due.
    fn next_due(&mut self) -> QueryResult<Option<SqlTime>>;

    /// Counts a disagreement, and keeps what was said last.
    fn note_conflict(&mut self, row: &ConflictRow) -> QueryResult<usize>;

    /// Reads what was said against a transaction.
    fn conflict(&mut self, key: &TransactionKey) -> QueryResult<Option<ConflictRow>>;

    /// Reads dead transactions of an account, oldest first.
    fn dead_transactions(
        &mut self,
        account: &AccountId,
        limit: u32,
    ) -> QueryResult<Vec<TransactionRow>>;

    /// How many are due.
    fn count_due(&mut self, now: SqlTime) -> QueryResult<i64>;

    /// How many are dead.
    fn count_dead(&mut self) -> QueryResult<i64>;
}

/// The statements, which both stores spell alike but for how they lock.
macro_rules! shared_transaction_statements {
    (lock: [$($lock:tt)*], lock_free: [$($lock_free:tt)*]) => {
        fn insert_transaction_if_absent(&mut self, row: &TransactionRow) -> QueryResult<bool> {
            let inserted = diesel::insert_into(transactions::table)
                .values(row)
                .on_conflict_do_nothing()
                .execute(self)?;
            Ok(inserted == 1)
        }

        /// A statement of its own behind the insert: it then sees the row that won the race.
        fn transaction(&mut self, key: &TransactionKey) -> QueryResult<Option<TransactionRow>> {
            transactions::table
                .find((key.account.as_str(), key.id.as_str()))
                .select(TransactionRow::as_select())
                .get_result(self)
                .optional()
        }

        fn lock_transactions(
            &mut self,
            keys: &[&TransactionKey],
        ) -> QueryResult<Vec<TransactionRow>> {
            let mut rows = Vec::with_capacity(keys.len());
            for of_account in keys.chunk_by(|one, next| one.account == next.account) {
                let account = of_account.first().map(|key| key.account.as_str());
                let ids = of_account.iter().map(|key| key.id.as_str());
                let locked: Vec<TransactionRow> = transactions::table
                    .filter(transactions::account_id.eq(account.unwrap_or_default()))
                    .filter(transactions::transaction_id.eq_any(ids))
                    .order(transactions::transaction_id)
                    .select(TransactionRow::as_select())
                    $($lock)*
                    .load(self)?;
                rows.extend(locked);
            }
            Ok(rows)
        }

        fn lock_due_transactions(
            &mut self,
            now: SqlTime,
            limit: u32,
        ) -> QueryResult<Vec<TransactionRow>> {
            transactions::table
                .filter(transactions::due_at.le(now))
                .order(transactions::due_at)
                .limit(limit.into())
                .select(TransactionRow::as_select())
                $($lock_free)*
                .load(self)
        }

        fn save_transaction(&mut self, row: &TransactionRow) -> QueryResult<usize> {
            diesel::update(transactions::table.find(row.key())).set(row).execute(self)
        }

        fn next_due(&mut self) -> QueryResult<Option<SqlTime>> {
            let due_at: Option<Option<SqlTime>> = transactions::table
                .filter(transactions::due_at.is_not_null())
                .order(transactions::due_at)
                .select(transactions::due_at)
                .first(self)
                .optional()?;
            Ok(due_at.flatten())
        }

        fn note_conflict(&mut self, row: &ConflictRow) -> QueryResult<usize> {
            diesel::insert_into(transaction_conflicts::table)
                .values(row)
                .on_conflict((
                    transaction_conflicts::account_id,
                    transaction_conflicts::transaction_id,
                ))
                .do_update()
                .set((
                    transaction_conflicts::times.eq(transaction_conflicts::times + 1),
                    row.latest(),
                ))
                .execute(self)
        }

        fn conflict(&mut self, key: &TransactionKey) -> QueryResult<Option<ConflictRow>> {
            transaction_conflicts::table
                .find((key.account.as_str(), key.id.as_str()))
                .select(ConflictRow::as_select())
                .get_result(self)
                .optional()
        }

        fn dead_transactions(
            &mut self,
            account: &AccountId,
            limit: u32,
        ) -> QueryResult<Vec<TransactionRow>> {
            transactions::table
                .filter(transactions::account_id.eq(account.as_str()))
                .filter(transactions::state.eq("dead"))
                .order((transactions::created_at, transactions::transaction_id))
                .limit(limit.into())
                .select(TransactionRow::as_select())
                .load(self)
        }

        fn count_due(&mut self, now: SqlTime) -> QueryResult<i64> {
            transactions::table.filter(transactions::due_at.le(now)).count().get_result(self)
        }

        fn count_dead(&mut self) -> QueryResult<i64> {
            transactions::table.filter(transactions::state.eq("dead")).count().get_result(self)
        }
    };
}
pub(crate) use shared_transaction_statements;
