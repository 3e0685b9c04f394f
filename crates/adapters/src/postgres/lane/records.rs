//! Statements about many records at a time.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Text};
use diesel::{QueryResult, RunQueryDsl};
use payonce_domain::idempotency::RecordId;
use payonce_domain::sabotage::{Rule, is_broken};

use super::columns::prepared_once;
use crate::store::schema::idempotency_records;
use crate::store::values::Instant;

/// Keys, as columns.
#[derive(Debug)]
struct Keys<'a> {
    accounts: Vec<&'a str>,
    spaces: Vec<&'a str>,
    keys: Vec<&'a str>,
}

impl<'a> Keys<'a> {
    fn of(ids: &[&'a RecordId]) -> Self {
        Self {
            accounts: ids.iter().map(|id| id.account.as_str()).collect(),
            spaces: ids.iter().map(|id| id.space.as_str()).collect(),
            keys: ids.iter().map(|id| id.key.as_str()).collect(),
        }
    }

    fn records<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
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

/// Reads the clock and the records of these keys.
pub struct ReadRecords<'a>(Keys<'a>);

impl<'a> ReadRecords<'a> {
    /// Those of these keys.
    pub fn of(ids: &[&'a RecordId]) -> Self {
        Self(Keys::of(ids))
    }
}

impl QueryFragment<Pg> for ReadRecords<'_> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.records(out)
    }
}

impl Query for ReadRecords<'_> {
    type SqlType = (Instant, idempotency_records::SqlType);
}

prepared_once!(ReadRecords);

/// Reads the clock and the records of these keys and keeps every other transaction from deciding about them;
/// passes over those that somebody else holds, so that nobody waits in a lane for one key.
pub struct LockRecords<'a>(Keys<'a>);

impl<'a> LockRecords<'a> {
    /// Those of these keys.
    pub fn of(ids: &[&'a RecordId]) -> Self {
        Self(Keys::of(ids))
    }
}

impl QueryFragment<Pg> for LockRecords<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.records(out.reborrow())?;
        if is_broken(Rule::RowLock) {
            return Ok(());
        }
        out.push_sql(" FOR UPDATE OF idempotency_records SKIP LOCKED");
        Ok(())
    }
}

impl Query for LockRecords<'_> {
    type SqlType = (Instant, idempotency_records::SqlType);
}

prepared_once!(LockRecords);
