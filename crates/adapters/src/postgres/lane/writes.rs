//! What a batch writes once everything is decided, in one statement: a crash leaves all of it or
//! nothing.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text};
use diesel::{QueryResult, RunQueryDsl};
use payonce_domain::payment::PaymentId;

use super::columns::{columns, prepared_once};
use crate::store::rows::{EventRow, FinalState, PaymentRow, RecordRow};
use crate::store::values::{Document, Id, Instant, SqlJson, SqlTime, SqlUuid};

/// Rows of a batch; the records that it settles are locked already.
#[derive(Debug, Default)]
pub struct Writes {
    /// Records of payments to open, sorted by key.
    pub records: Vec<RecordRow>,
    /// Their payments.
    pub opened: Vec<PaymentRow>,
    /// The first entries of their timelines.
    pub created: Vec<EventRow>,
    /// Records that are settled.
    pub settled: Vec<RecordRow>,
    /// Their payments.
    pub finished: Vec<FinishedRow>,
    /// Further entries of timelines.
    pub events: Vec<EventRow>,
    /// Payments that somebody waits for.
    pub awaited: Vec<PaymentId>,
}

/// The final state of one payment.
#[derive(Debug)]
pub struct FinishedRow {
    account_id: String,
    id: SqlUuid,
    status: String,
    gateway_reference: Option<String>,
    failure_code: Option<String>,
    decline_code: Option<String>,
    completed_at: Option<SqlTime>,
}

impl FinishedRow {
    /// The end of the payment of this record.
    pub fn new(record: &RecordRow, end: FinalState) -> Self {
        Self {
            account_id: record.account_id.clone(),
            id: record.payment_id,
            status: end.status,
            gateway_reference: end.gateway_reference,
            failure_code: end.failure_code,
            decline_code: end.decline_code,
            completed_at: end.completed_at,
        }
    }
}

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

columns! {
    /// Payments under way.
    OpenedPayments of PaymentRow {
        account_id: String => Text,
        id: SqlUuid => Id,
        key_space: String => Text,
        key: String => Text,
        generation: i32 => Integer,
        operation: String => Text,
        status: String => Text,
        amount_minor: i64 => BigInt,
        currency: String => Text,
        payment_method: Option<String> => Nullable<Text>,
        reference: Option<String> => Nullable<Text>,
        description: Option<String> => Nullable<Text>,
        metadata: SqlJson => Document,
        gateway_kind: String => Text,
        gateway_base_url: String => Text,
        gateway_account: String => Text,
        gateway_key: SqlUuid => Id,
        gateway_request: Vec<u8> => Binary,
        attempts: i32 => Integer,
        first_sent_at: Option<SqlTime> => Nullable<Instant>,
        created_at: SqlTime => Instant,
    }
}

columns! {
    /// What a settle changes in a record.
    SettledRecords of RecordRow {
        account_id: String => Text,
        key_space: String => Text,
        key: String => Text,
        state: String => Text,
        due_at: Option<SqlTime> => Nullable<Instant>,
        settled_at: Option<SqlTime> => Nullable<Instant>,
        expires_at: Option<SqlTime> => Nullable<Instant>,
        answer_status: Option<i16> => Nullable<SmallInt>,
        answer_content_type: Option<String> => Nullable<Text>,
        answer_location: Option<String> => Nullable<Text>,
        answer_body: Option<Vec<u8>> => Nullable<Binary>,
    }
}

columns! {
    /// What a settle changes in a payment.
    FinishedPayments of FinishedRow {
        account_id: String => Text,
        id: SqlUuid => Id,
        status: String => Text,
        gateway_reference: Option<String> => Nullable<Text>,
        failure_code: Option<String> => Nullable<Text>,
        decline_code: Option<String> => Nullable<Text>,
        completed_at: Option<SqlTime> => Nullable<Instant>,
    }
}

columns! {
    /// Entries of timelines.
    NewEvents of EventRow {
        account_id: String => Text,
        payment_id: SqlUuid => Id,
        fence: i64 => BigInt,
        step: i32 => Integer,
        at: SqlTime => Instant,
        actor: String => Text,
        kind: String => Text,
        attempt: Option<i32> => Nullable<Integer>,
        detail: Option<String> => Nullable<Text>,
    }
}

/// With `OPENS`, inserts the records whose keys are absent, with their payments, and tells these
/// payments; with `SETTLES`, writes everything else, and counts the records and the payments that
/// were changed. Each of the two is left out where there is nothing of it: an empty part costs the
/// server as much as a few rows.
///
/// What is there already although its record is not (the payment of a forgotten key) fails it.
pub struct WriteAll<'a, const OPENS: bool, const SETTLES: bool> {
    records: NewRecords<'a>,
    opened: OpenedPayments<'a>,
    created: NewEvents<'a>,
    settled: SettledRecords<'a>,
    finished: FinishedPayments<'a>,
    events: NewEvents<'a>,
}

impl<'a, const OPENS: bool, const SETTLES: bool> WriteAll<'a, OPENS, SETTLES> {
    /// Writes these.
    pub fn of(writes: &'a Writes) -> Self {
        Self {
            records: NewRecords::of(&writes.records),
            opened: OpenedPayments::of(&writes.opened),
            created: NewEvents::of(&writes.created),
            settled: SettledRecords::of(&writes.settled),
            finished: FinishedPayments::of(&writes.finished),
            events: NewEvents::of(&writes.events),
        }
    }

    fn open<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("inserted AS (INSERT INTO idempotency_records (");
        out.push_sql(NewRecords::LIST);
        out.push_sql(") ");
        self.records.rows(out)?;
        out.push_sql(
            " ON CONFLICT DO NOTHING RETURNING payment_id), \
             opened AS (INSERT INTO payments (",
        );
        out.push_sql(OpenedPayments::LIST);
        out.push_sql(") ");
        self.opened.rows(out)?;
        // `IS TRUE` keeps the planner from a join: the set is hashed instead.
        out.push_sql(
            " WHERE (row.id IN (SELECT payment_id FROM inserted)) IS TRUE), \
             created AS (INSERT INTO payment_events (",
        );
        out.push_sql(NewEvents::LIST);
        out.push_sql(") ");
        self.created.rows(out)?;
        out.push_sql(" WHERE (row.payment_id IN (SELECT payment_id FROM inserted)) IS TRUE)");
        Ok(())
    }

    fn settle<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "settled AS (UPDATE idempotency_records AS record SET state = row.state, \
             due_at = row.due_at, settled_at = row.settled_at, expires_at = row.expires_at, \
             answer_status = row.answer_status, answer_content_type = row.answer_content_type, \
             answer_location = row.answer_location, answer_body = row.answer_body FROM (",
        );
        self.settled.rows(out)?;
        out.push_sql(
            ") AS row WHERE record.account_id = row.account_id \
             AND record.key_space = row.key_space AND record.key = row.key RETURNING 1), \
             finished AS (UPDATE payments AS payment SET status = row.status, \
             gateway_reference = row.gateway_reference, failure_code = row.failure_code, \
             decline_code = row.decline_code, completed_at = row.completed_at FROM (",
        );
        self.finished.rows(out)?;
        out.push_sql(
            ") AS row WHERE payment.account_id = row.account_id AND payment.id = row.id \
             AND payment.status IN ('PROCESSING', 'NEEDS_REVIEW') RETURNING 1), \
             noted AS (INSERT INTO payment_events (",
        );
        out.push_sql(NewEvents::LIST);
        out.push_sql(") ");
        self.events.rows(out)?;
        out.push_sql(")");
        Ok(())
    }
}

impl<const OPENS: bool, const SETTLES: bool> QueryFragment<Pg> for WriteAll<'_, OPENS, SETTLES> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH ");
        if OPENS {
            self.open(&mut out)?;
        }
        if OPENS && SETTLES {
            out.push_sql(", ");
        }
        if SETTLES {
            self.settle(&mut out)?;
        }
        out.push_sql(match OPENS {
            true => " SELECT ARRAY(SELECT payment_id FROM inserted), ",
            false => " SELECT ARRAY[]::uuid[], ",
        });
        out.push_sql(match SETTLES {
            true => "(SELECT count(*) FROM settled), (SELECT count(*) FROM finished)",
            false => "0::bigint, 0::bigint",
        });
        Ok(())
    }
}

impl<const OPENS: bool, const SETTLES: bool> Query for WriteAll<'_, OPENS, SETTLES> {
    type SqlType = (Array<Id>, BigInt, BigInt);
}

prepared_once!(WriteAll<OPENS, SETTLES>);
