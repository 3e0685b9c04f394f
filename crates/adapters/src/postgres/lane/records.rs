//! The statement that reads many records at a time.

use std::collections::HashSet;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Text};
use diesel::{QueryResult, RunQueryDsl};

use super::rows::prepared_once;
use crate::store::schema::idempotency_records;
use crate::store::values::Instant;

/// Reads the clock and the records of these keys.
pub struct ReadRecords<'a> {
    accounts: Vec<&'a str>,
    spaces: Vec<&'a str>,
    keys: Vec<&'a str>,
}

impl<'a> ReadRecords<'a> {
    /// Those of these accounts, key spaces and keys.
    pub fn of(keys: &HashSet<(&'a str, &'a str, &'a str)>) -> Self {
        Self {
            accounts: keys.iter().map(|(account, _, _)| *account).collect(),
            spaces: keys.iter().map(|(_, space, _)| *space).collect(),
            keys: keys.iter().map(|(_, _, key)| *key).collect(),
        }
    }
}

impl QueryFragment<Pg> for ReadRecords<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT clock_timestamp(), ");
        idempotency_records::all_columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM idempotency_records JOIN unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.accounts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.spaces)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.keys)?;
        out.push_sql(
            ") AS wanted (account_id, key_space, key) ON \
             idempotency_records.account_id = wanted.account_id \
             AND idempotency_records.key_space = wanted.key_space \
             AND idempotency_records.key = wanted.key",
        );
        Ok(())
    }
}

impl Query for ReadRecords<'_> {
    type SqlType = (Instant, idempotency_records::SqlType);
}

prepared_once!(ReadRecords);
