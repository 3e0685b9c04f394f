//! The statements that look for many keys at a time.

use std::collections::HashMap;

use diesel::connection::DefaultLoadingMode;
use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Binary, Bool, Integer, Nullable, SmallInt, Text};
use payonce_domain::idempotency::{
    Fingerprint, FoundAnswer, RecordId, SettledAnswer, StoredAnswer,
};

use super::rows::prepared_once;
use crate::store::values::{Instant, SqlTime};

/// A record that was there already: as much of it as a repeat is told, and what decides whether it is.
#[derive(Debug, Clone, Queryable)]
pub struct KnownRecord {
    is_settled: bool,
    now: SqlTime,
    fingerprint_version: i16,
    fingerprint: Vec<u8>,
    request_id: String,
    last_seen_at: SqlTime,
    expires_at: Option<SqlTime>,
    answer_status: Option<i16>,
    answer_content_type: Option<String>,
    answer_location: Option<String>,
    answer_body: Option<Vec<u8>>,
}

const COLUMNS: &str = "state = 'settled', clock_timestamp(), fingerprint_version, fingerprint, \
     request_id, last_seen_at, expires_at, answer_status, answer_content_type, answer_location, \
     answer_body FROM idempotency_records AS record";

type Columns = (
    Bool,
    Instant,
    SmallInt,
    Binary,
    Text,
    Instant,
    Nullable<Instant>,
    Nullable<SmallInt>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Binary>,
);

impl KnownRecord {
    /// Its answer, where it is settled and can be read.
    pub fn answer(self) -> Option<FoundAnswer> {
        let answer = StoredAnswer {
            status: self.answer_status.filter(|_| self.is_settled)?.try_into().ok()?,
            content_type: self.answer_content_type?,
            location: self.answer_location,
            body: self.answer_body?.into(),
        };
        let (request_id, expires_at) = (self.request_id.parse().ok()?, self.expires_at?.0);
        Some(FoundAnswer {
            fingerprint: Fingerprint {
                version: self.fingerprint_version,
                digest: self.fingerprint.into(),
            },
            last_seen_at: self.last_seen_at.0,
            answer: SettledAnswer { answer, expires_at, told_at: self.now.0, request_id },
        })
    }
}

/// What a look found.
pub type Found = Option<Box<KnownRecord>>;

/// Looks for the records of these keys, of which there may be several alike, and tells of each that is there, by
/// the place of its key, as soon as it is read.
pub fn look_up(
    conn: &mut PgConnection,
    wanted: &[&RecordId],
    mut tell: impl FnMut(usize, Box<KnownRecord>),
) -> QueryResult<()> {
    let Some(first) = wanted.first() else { return Ok(()) };
    let is_alike = |one: &&RecordId| one.account == first.account && one.space == first.space;
    if wanted.iter().all(is_alike) {
        let mut places = HashMap::<&str, Vec<usize>>::with_capacity(wanted.len());
        for (place, id) in wanted.iter().enumerate() {
            places.entry(id.key.as_str()).or_default().push(place);
        }
        let read = ReadOfOne { of: first, keys: places.keys().copied().collect() };
        for row in read.load_iter::<(String, KnownRecord), DefaultLoadingMode>(conn)? {
            let (key, known) = row?;
            let places = places.get(key.as_str()).and_then(|places| places.split_last());
            if let Some((last, others)) = places {
                others.iter().for_each(|place| tell(*place, Box::new(known.clone())));
                tell(*last, Box::new(known));
            }
        }
    } else {
        for row in
            ReadOfMany::of(wanted).load_iter::<(i32, KnownRecord), DefaultLoadingMode>(conn)?
        {
            let (place, known) = row?;
            tell(usize::try_from(place).unwrap_or(usize::MAX), Box::new(known));
        }
    }
    Ok(())
}

/// Keys of one account and key space, for which the index is read without a join.
struct ReadOfOne<'a> {
    of: &'a RecordId,
    keys: Vec<&'a str>,
}

impl QueryFragment<Pg> for ReadOfOne<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT key, ");
        out.push_sql(COLUMNS);
        out.push_sql(" WHERE account_id = ");
        out.push_bind_param::<Text, _>(self.of.account.as_str())?;
        out.push_sql(" AND key_space = ");
        out.push_bind_param::<Text, _>(self.of.space.as_str())?;
        out.push_sql(" AND key = ANY (");
        out.push_bind_param::<Array<Text>, _>(&self.keys)?;
        out.push_sql(")");
        Ok(())
    }
}

impl Query for ReadOfOne<'_> {
    type SqlType = (Text, Columns);
}

prepared_once!(ReadOfOne);

/// Keys of several.
#[derive(Default)]
struct ReadOfMany<'a> {
    places: Vec<i32>,
    accounts: Vec<&'a str>,
    spaces: Vec<&'a str>,
    keys: Vec<&'a str>,
}

impl<'a> ReadOfMany<'a> {
    fn of(wanted: &[&'a RecordId]) -> Self {
        let mut these = Self::default();
        for (place, RecordId { account, space, key }) in (0..).zip(wanted) {
            these.places.push(place);
            these.accounts.push(account.as_str());
            these.spaces.push(space.as_str());
            these.keys.push(key.as_str());
        }
        these
    }
}

impl QueryFragment<Pg> for ReadOfMany<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT wanted.place, ");
        out.push_sql(COLUMNS);
        out.push_sql(" JOIN unnest(");
        out.push_bind_param::<Array<Integer>, _>(&self.places)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.accounts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.spaces)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.keys)?;
        out.push_sql(
            ") AS wanted (place, account_id, key_space, key) ON \
             record.account_id = wanted.account_id AND record.key_space = wanted.key_space \
             AND record.key = wanted.key",
        );
        Ok(())
    }
}

impl Query for ReadOfMany<'_> {
    type SqlType = (Integer, Columns);
}

prepared_once!(ReadOfMany);
