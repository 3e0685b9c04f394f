//! What a batch writes once everything is decided, in one statement: a crash leaves all of it or
//! nothing.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::{self, Output, ToSql, WriteTuple};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SqlType, Text};
use diesel::{QueryResult, RunQueryDsl};

use super::openings::{self, OpeningRows};
use super::rows::{CLOCK, Composite, FromNow, NOW, composite, prepared_once};
use super::settlements::{self, SettlementRows};
use crate::store::timeline::EventRow;
use crate::store::values::{Id, Instant};

/// Rows of a batch.
#[derive(Debug, Default)]
pub struct Writes<'a> {
    /// Payments to open, sorted by key.
    pub openings: Vec<OpeningRows<'a>>,
    /// Payments to settle, sorted by key, each once.
    pub settlements: Vec<SettlementRows<'a>>,
    /// What is added to their timelines beside their outcomes.
    pub events: Vec<EventRow<'a>>,
}

composite! {
    /// Entries of timelines.
    EventToAppend ("event_to_append") of EventRow<'_> {
        payment_id: Id,
        fence: BigInt,
        step: Integer,
        actor: Text,
        kind: Text,
        attempt: Nullable<Integer>,
        detail: Nullable<Text>,
        followed_by: Nullable<Text>,
    } from now {
        at: FromNow,
    }
}

/// With `OPENS`, opens payments ([`openings::insert`]); with `SETTLES`, settles some
/// ([`settlements::settle`]), and with `NOTES` adds more to their timelines. Each of them is left out where there
/// is nothing of it: an empty part costs the server as much as a few rows.
///
/// Tells the clock's reading, the payments that were inserted, and those that were settled. What is
/// there already although its record is not (the payment of a forgotten key, the outcome of a payment under way)
/// fails it.
pub struct WriteAll<'a, const OPENS: bool, const SETTLES: bool, const NOTES: bool>(
    pub &'a Writes<'a>,
);

impl<const OPENS: bool, const SETTLES: bool, const NOTES: bool> QueryFragment<Pg>
    for WriteAll<'_, OPENS, SETTLES, NOTES>
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH ");
        out.push_sql(CLOCK);
        if OPENS {
            out.push_sql(", ");
            openings::insert(&mut out, &self.0.openings)?;
        }
        if SETTLES {
            out.push_sql(", ");
            settlements::settle(&mut out, &self.0.settlements)?;
        }
        if NOTES {
            out.push_sql(", ");
            note(&mut out, &self.0.events)?;
        }
        out.push_sql(" SELECT ");
        out.push_sql(NOW);
        out.push_sql(match OPENS {
            true => ", ARRAY(SELECT payment_id FROM inserted)",
            false => ", ARRAY[]::uuid[]",
        });
        out.push_sql(match SETTLES {
            true => ", ARRAY(SELECT payment_id FROM settled), (SELECT count(*) FROM announced)",
            false => ", ARRAY[]::uuid[], 0::bigint",
        });
        Ok(())
    }
}

/// Appends to the timelines of those that are `settled`.
fn note<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b [EventRow<'_>]) -> QueryResult<()> {
    out.push_sql("noted AS (INSERT INTO payment_events (");
    out.push_sql(EventToAppend::COLUMNS);
    out.push_sql(") SELECT ");
    out.push_sql(EventToAppend::VALUES);
    out.push_sql(" FROM unnest(");
    out.push_bind_param::<Array<EventToAppend>, [_]>(rows)?;
    out.push_sql(") AS row WHERE (row.payment_id IN (SELECT payment_id FROM settled)) IS TRUE)");
    Ok(())
}

impl<const OPENS: bool, const SETTLES: bool, const NOTES: bool> Query
    for WriteAll<'_, OPENS, SETTLES, NOTES>
{
    type SqlType = (Instant, Array<Id>, Array<Id>, BigInt);
}

prepared_once!(WriteAll<OPENS, SETTLES, NOTES>);
