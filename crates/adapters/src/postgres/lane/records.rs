//! The statement that looks for many keys at a time.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Binary, Bool, Integer, Nullable, SmallInt, Text};
use payonce_domain::idempotency::{
    Fingerprint, FoundAnswer, RecordId, SettledAnswer, StoredAnswer,
};

use super::calls::Opening;
use super::rows::prepared_once;
use crate::store::values::{Instant, SqlTime};

/// A record that was there already: as much of it as a repeat is told, and what decides whether it is.
#[derive(Debug, Queryable)]
pub struct KnownRecord {
    place: i32,
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

impl KnownRecord {
    /// The place of the payment whose key it is.
    pub fn place(&self) -> usize {
        usize::try_from(self.place).unwrap_or(usize::MAX)
    }

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
                digest: self.fingerprint,
            },
            last_seen_at: self.last_seen_at.0,
            answer: SettledAnswer { answer, expires_at, told_at: self.now.0, request_id },
        })
    }
}

/// Reads the clock and the records of these keys, of which there may be several alike.
#[derive(Default)]
pub struct ReadRecords<'a> {
    places: Vec<i32>,
    accounts: Vec<&'a str>,
    spaces: Vec<&'a str>,
    keys: Vec<&'a str>,
}

impl<'a> ReadRecords<'a> {
    /// Those of these payments, each with its place.
    pub fn of(openings: impl Iterator<Item = (usize, &'a Opening)>) -> Self {
        let mut these = Self::default();
        for (place, opening) in openings {
            let RecordId { account, space, key } = &opening.call.record;
            these.places.push(i32::try_from(place).unwrap_or(i32::MAX));
            these.accounts.push(account.as_str());
            these.spaces.push(space.as_str());
            these.keys.push(key.as_str());
        }
        these
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

impl QueryFragment<Pg> for ReadRecords<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT wanted.place, state = 'settled', clock_timestamp(), fingerprint_version, \
             fingerprint, request_id, last_seen_at, expires_at, answer_status, \
             answer_content_type, answer_location, answer_body \
             FROM idempotency_records AS record JOIN unnest(",
        );
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

impl Query for ReadRecords<'_> {
    type SqlType = (
        Integer,
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
}

prepared_once!(ReadRecords);
