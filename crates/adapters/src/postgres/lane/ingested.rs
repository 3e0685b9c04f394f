//! The statement that stores many announced transactions at a time.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel::{QueryResult, RunQueryDsl};

use super::columns::{columns, prepared_once};
use crate::store::transaction_queue::TransactionRow;
use crate::store::values::{Instant, SqlTime};

columns! {
    /// Transactions that were announced, sorted by key, each key once.
    NewTransactions of TransactionRow {
        account_id: String => Text,
        transaction_id: String => Text,
        source_account: String => Text,
        destination_account: String => Text,
        amount_minor: i64 => BigInt,
        currency: String => Text,
        state: String => Text,
        fence: i64 => BigInt,
        attempts: i32 => Integer,
        due_at: Option<SqlTime> => Nullable<Instant>,
        created_at: SqlTime => Instant,
    }
}

/// Inserts those whose keys are absent, and tells which.
pub struct InsertTransactions<'a>(pub NewTransactions<'a>);

impl QueryFragment<Pg> for InsertTransactions<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO transactions (");
        out.push_sql(NewTransactions::LIST);
        out.push_sql(") ");
        self.0.rows(&mut out)?;
        out.push_sql(" ON CONFLICT DO NOTHING RETURNING account_id, transaction_id");
        Ok(())
    }
}

impl Query for InsertTransactions<'_> {
    type SqlType = (Text, Text);
}

prepared_once!(InsertTransactions);
