//! The statement that stores many announced transactions at a time.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::{self, Output, ToSql, WriteTuple};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SqlType, Text};
use diesel::{QueryResult, RunQueryDsl};

use super::rows::{CLOCK, Composite, FromNow, composite, prepared_once};
use crate::store::transaction_queue::TransactionRow;

composite! {
    /// Transactions that were announced.
    TransactionToInsert ("transaction_to_insert") of TransactionRow {
        transaction_id: Text,
        source_account: Text,
        destination_account: Text,
        amount_minor: BigInt,
        currency: Text,
        state: Text,
        fence: BigInt,
        attempts: Integer,
    } from now {
        due_at: Nullable<FromNow>,
        created_at: FromNow,
    }
}

/// Inserts those whose keys are absent, and tells which; they are sorted by key, each key once.
pub struct InsertTransactions<'a>(pub &'a [&'a TransactionRow]);

impl QueryFragment<Pg> for InsertTransactions<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH ");
        out.push_sql(CLOCK);
        out.push_sql(" INSERT INTO transactions (");
        out.push_sql(TransactionToInsert::COLUMNS);
        out.push_sql(") SELECT ");
        out.push_sql(TransactionToInsert::VALUES);
        out.push_sql(" FROM unnest(");
        out.push_bind_param::<Array<TransactionToInsert>, _>(self.0)?;
        out.push_sql(") AS row ON CONFLICT DO NOTHING RETURNING account_id, transaction_id");
        Ok(())
    }
}

impl Query for InsertTransactions<'_> {
    type SqlType = (Text, Text);
}

prepared_once!(InsertTransactions);
