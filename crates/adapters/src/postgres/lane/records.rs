//! Statements about many records at a time.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text};
use diesel::{QueryResult, RunQueryDsl};
use payonce_domain::idempotency::RecordId;
use payonce_domain::sabotage::{Rule, is_broken};

use super::columns::{columns, prepared_once};
use crate::store::rows::RecordRow;
use crate::store::schema::idempotency_records;
use crate::store::values::{Id, Instant, SqlTime, SqlUuid};

columns! {
    /// Records of keys that nobody has used, sorted by key: racing inserts wait for each other in
    /// one order.
    NewRecords of RecordRow {
        account_id: String => Text,
        key_space: String => Text,
        key: String => Text,
        generation: i32 => Integer,
        subject: String => Text,
        payment_id: SqlUuid => Id,
        fingerprint_version: i16 => SmallInt,
        fingerprint: Vec<u8> => Binary,
        request_id: String => Text,
        fence: i64 => BigInt,
        opening_fence: i64 => BigInt,
        state: String => Text,
        due_at: Option<SqlTime> => Nullable<Instant>,
        is_awaited: bool => Bool,
        first_seen_at: SqlTime => Instant,
        last_seen_at: SqlTime => Instant,
    }
}

/// Inserts those whose keys are absent, and tells their payments.
pub struct InsertRecords<'a>(pub NewRecords<'a>);

impl QueryFragment<Pg> for InsertRecords<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO idempotency_records (");
        out.push_sql(NewRecords::LIST);
        out.push_sql(") ");
        self.0.rows(&mut out)?;
        out.push_sql(" ON CONFLICT DO NOTHING RETURNING payment_id");
        Ok(())
    }
}

impl Query for InsertRecords<'_> {
    type SqlType = Id;
}

prepared_once!(InsertRecords);

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
        out.push_sql("SELECT ");
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

/// Reads the records of these keys.
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
    type SqlType = idempotency_records::SqlType;
}

prepared_once!(ReadRecords);

/// Reads the records of these keys and keeps every other transaction from deciding about them;
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
    type SqlType = idempotency_records::SqlType;
}

prepared_once!(LockRecords);
