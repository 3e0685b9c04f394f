//! What a batch writes once everything is decided, in one statement: a crash leaves all of it or
//! nothing.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::{self, Output, ToSql, WriteTuple};
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, HasSqlType, Integer, Nullable, SmallInt, SqlType, Text,
};
use diesel::{QueryResult, RunQueryDsl};
use payonce_domain::sabotage::{Rule, is_broken};

use super::calls::FinishedRow;
use super::rows::{CLOCK, Composite, FromNow, NOW, composite, prepared_once};
use crate::postgres::statements::CHANNEL;
use crate::store::rows::{PaymentRow, RecordRow};
use crate::store::settled_row::SettledRow;
use crate::store::timeline::EventRow;
use crate::store::values::{Document, Id, Instant};

/// Rows of a batch.
#[derive(Debug, Default)]
pub struct Writes<'a> {
    /// Records of payments to open, sorted by key: racing inserts wait for each other in one order.
    pub records: Vec<RecordRow<'a>>,
    /// Their payments.
    pub payments: Vec<PaymentRow<'a>>,
    /// Records to settle, sorted by key, each once.
    pub settled: Vec<SettledRow<'a>>,
    /// Their payments.
    pub finished: Vec<FinishedRow<'a>>,
    /// What is added to the timelines of those that are settled.
    pub events: Vec<EventRow<'a>>,
}

composite! {
    /// Records of keys that nobody has used.
    RecordToInsert ("record_to_insert") of RecordRow<'_> {
        key_space: Text,
        key: Text,
        generation: Integer,
        subject: Text,
        payment_id: Id,
        fingerprint_version: SmallInt,
        fingerprint: Binary,
        request_id: Text,
        fence: BigInt,
        opening_fence: BigInt,
        state: Text,
        is_awaited: Bool,
    } from now {
        due_at: Nullable<FromNow>,
        first_seen_at: FromNow,
        last_seen_at: FromNow,
    }
}

composite! {
    /// Payments under way.
    PaymentToOpen ("payment_to_open") of PaymentRow<'_> {
        id: Id,
        key_space: Text,
        key: Text,
        generation: Integer,
        operation: Text,
        status: Text,
        amount_minor: BigInt,
        currency: Text,
        payment_method: Nullable<Text>,
        reference: Nullable<Text>,
        description: Nullable<Text>,
        metadata: Document,
        gateway_kind: Text,
        gateway_base_url: Text,
        gateway_account: Text,
        gateway_key: Id,
        gateway_request: Binary,
        attempts: Integer,
        opening_fence: Nullable<BigInt>,
    } from now {
        first_sent_at: Nullable<FromNow>,
        created_at: FromNow,
    }
}

composite! {
    /// Answers, and the owners who store them.
    RecordToSettle ("record_to_settle") of SettledRow<'_> {
        key_space: Text,
        key: Text,
        payment_id: Id,
        request_id: Text,
        fence: BigInt,
        answer_status: SmallInt,
        answer_content_type: Text,
        answer_location: Nullable<Text>,
        answer_body: Binary,
    } from now {
        settled_at: FromNow,
        expires_at: FromNow,
    }
}

composite! {
    /// Final states of payments.
    PaymentToFinish ("payment_to_finish") of FinishedRow<'_> {
        id: Id,
        status: Text,
        gateway_reference: Nullable<Text>,
        failure_code: Nullable<Text>,
        decline_code: Nullable<Text>,
        completed_at: Nullable<Instant>,
    }
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

/// With `OPENS`, inserts the records whose keys are absent, with their payments. With `SETTLES`,
/// settles the records that are running under their owners' fences and that nobody has locked, with their
/// payments, and announces those that somebody waits for. Each of the two is left out where there is
/// nothing of it: an empty part costs the server as much as a few rows.
///
/// Tells the clock's reading, the payments that were inserted, and those that were settled. What is
/// there already although its record is not (the payment of a forgotten key), or final although its
/// record is not, fails it.
pub struct WriteAll<'a, const OPENS: bool, const SETTLES: bool>(pub &'a Writes<'a>);

impl<const OPENS: bool, const SETTLES: bool> WriteAll<'_, OPENS, SETTLES> {
    fn open<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        insert::<RecordToInsert, _>(out, "inserted", "idempotency_records", &self.0.records)?;
        out.push_sql(" ON CONFLICT DO NOTHING RETURNING payment_id), ");
        insert::<PaymentToOpen, _>(out, "opened", "payments", &self.0.payments)?;
        // `IS TRUE` keeps the planner from a join: the set is hashed instead.
        out.push_sql(" WHERE (row.id IN (SELECT payment_id FROM inserted)) IS TRUE)");
        Ok(())
    }

    fn settle<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "settled AS (UPDATE idempotency_records AS record SET state = 'settled', \
             due_at = NULL, answer_status = row.answer_status, \
             answer_content_type = row.answer_content_type, \
             answer_location = row.answer_location, answer_body = row.answer_body, settled_at = ",
        );
        out.push_sql(NOW);
        out.push_sql(" + row.settled_at, expires_at = ");
        out.push_sql(NOW);
        out.push_sql(" + row.expires_at FROM unnest(");
        out.push_bind_param::<Array<RecordToSettle>, _>(&self.0.settled)?;
        // `IS TRUE` hides the lease from the planner, whom an index of leases would tempt.
        out.push_sql(
            ") AS row WHERE record.account_id = row.account_id \
             AND record.key_space = row.key_space AND record.key = row.key \
             AND record.payment_id = row.payment_id AND record.request_id = row.request_id \
             AND (record.due_at IS NOT NULL) IS TRUE",
        );
        if !is_broken(Rule::Fence) {
            out.push_sql(" AND record.fence = row.fence AND record.state = 'running'");
        }
        // A row that somebody has locked is left to run alone, so that no batch waits for it.
        out.push_sql(
            " AND record.xmax = '0' RETURNING record.payment_id, record.is_awaited), \
             finished AS (UPDATE payments AS payment SET status = row.status, \
             gateway_reference = row.gateway_reference, failure_code = row.failure_code, \
             decline_code = row.decline_code, completed_at = row.completed_at FROM unnest(",
        );
        out.push_bind_param::<Array<PaymentToFinish>, [_]>(&self.0.finished)?;
        out.push_sql(
            ") AS row WHERE payment.account_id = row.account_id AND payment.id = row.id \
             AND payment.status IN ('PROCESSING', 'NEEDS_REVIEW') \
             AND (row.id IN (SELECT payment_id FROM settled)) IS TRUE RETURNING 1), ",
        );
        out.push_sql("announced AS MATERIALIZED (SELECT pg_notify('");
        out.push_sql(CHANNEL);
        out.push_sql("', payment_id::text) FROM settled WHERE is_awaited), ");
        insert::<EventToAppend, _>(out, "noted", "payment_events", &self.0.events)?;
        out.push_sql(" WHERE (row.payment_id IN (SELECT payment_id FROM settled)) IS TRUE)");
        Ok(())
    }
}

/// Writes `name AS (INSERT INTO table (…) SELECT … FROM unnest(…) AS row`.
fn insert<'b, T, R>(
    out: &mut AstPass<'_, 'b, Pg>,
    name: &str,
    table: &str,
    rows: &'b [R],
) -> QueryResult<()>
where
    T: Composite + 'static,
    Pg: HasSqlType<T>,
    R: ToSql<T, Pg>,
{
    out.push_sql(name);
    out.push_sql(" AS (INSERT INTO ");
    out.push_sql(table);
    out.push_sql(" (");
    out.push_sql(T::COLUMNS);
    out.push_sql(") SELECT ");
    out.push_sql(T::VALUES);
    out.push_sql(" FROM unnest(");
    out.push_bind_param::<Array<T>, [_]>(rows)?;
    out.push_sql(") AS row");
    Ok(())
}

impl<const OPENS: bool, const SETTLES: bool> QueryFragment<Pg> for WriteAll<'_, OPENS, SETTLES> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH ");
        out.push_sql(CLOCK);
        if OPENS {
            out.push_sql(", ");
            self.open(&mut out)?;
        }
        if SETTLES {
            out.push_sql(", ");
            self.settle(&mut out)?;
        }
        out.push_sql(" SELECT ");
        out.push_sql(NOW);
        out.push_sql(match OPENS {
            true => ", ARRAY(SELECT payment_id FROM inserted)",
            false => ", ARRAY[]::uuid[]",
        });
        out.push_sql(match SETTLES {
            // An error ends the transaction, whose records and payments would contradict each other.
            true => {
                ", ARRAY(SELECT payment_id FROM settled), \
                 CASE (SELECT count(*) FROM settled) - (SELECT count(*) FROM finished) \
                 WHEN 0 THEN (SELECT count(*) FROM announced) \
                 ELSE ('a payment under way is final already: ' || (SELECT count(*) FROM finished))\
                 ::bigint END"
            }
            false => ", ARRAY[]::uuid[], 0::bigint",
        });
        Ok(())
    }
}

impl<const OPENS: bool, const SETTLES: bool> Query for WriteAll<'_, OPENS, SETTLES> {
    type SqlType = (Instant, Array<Id>, Array<Id>, BigInt);
}

prepared_once!(WriteAll<OPENS, SETTLES>);
