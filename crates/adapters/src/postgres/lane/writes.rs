//! What a batch writes once everything is decided, in one statement.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Integer, Nullable, SmallInt, Text};
use diesel::{QueryResult, RunQueryDsl};
use payonce_domain::payment::PaymentId;

use super::columns::{columns, prepared_once};
use crate::store::rows::{EventRow, FinalState, PaymentRow, RecordRow};
use crate::store::values::{Document, Id, Instant, SqlJson, SqlTime, SqlUuid};

/// Rows of a batch, whose records are inserted or locked already.
#[derive(Debug, Default)]
pub struct Writes {
    /// Payments that are opened.
    pub opened: Vec<PaymentRow>,
    /// Records that are settled.
    pub settled: Vec<RecordRow>,
    /// Their payments.
    pub finished: Vec<FinishedRow>,
    /// Entries of timelines.
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
    /// Entries of timelines; what is there already stays.
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

/// Writes everything, and counts the payments that were inserted, the records and the payments that
/// were changed.
pub struct WriteAll<'a> {
    opened: OpenedPayments<'a>,
    settled: SettledRecords<'a>,
    finished: FinishedPayments<'a>,
    events: NewEvents<'a>,
}

impl<'a> WriteAll<'a> {
    /// Writes these.
    pub fn of(writes: &'a Writes) -> Self {
        Self {
            opened: OpenedPayments::of(&writes.opened),
            settled: SettledRecords::of(&writes.settled),
            finished: FinishedPayments::of(&writes.finished),
            events: NewEvents::of(&writes.events),
        }
    }
}

impl QueryFragment<Pg> for WriteAll<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH opened AS (INSERT INTO payments (");
        out.push_sql(OpenedPayments::LIST);
        out.push_sql(") ");
        self.opened.rows(&mut out)?;
        out.push_sql(
            " ON CONFLICT DO NOTHING RETURNING 1), \
             settled AS (UPDATE idempotency_records AS record SET state = row.state, \
             due_at = row.due_at, settled_at = row.settled_at, expires_at = row.expires_at, \
             answer_status = row.answer_status, answer_content_type = row.answer_content_type, \
             answer_location = row.answer_location, answer_body = row.answer_body FROM ",
        );
        self.settled.rows(&mut out)?;
        out.push_sql(
            " AS row WHERE record.account_id = row.account_id \
             AND record.key_space = row.key_space AND record.key = row.key RETURNING 1), \
             finished AS (UPDATE payments AS payment SET status = row.status, \
             gateway_reference = row.gateway_reference, failure_code = row.failure_code, \
             decline_code = row.decline_code, completed_at = row.completed_at FROM ",
        );
        self.finished.rows(&mut out)?;
        out.push_sql(
            " AS row WHERE payment.account_id = row.account_id AND payment.id = row.id \
             AND payment.status IN ('PROCESSING', 'NEEDS_REVIEW') RETURNING 1), \
             noted AS (INSERT INTO payment_events (",
        );
        out.push_sql(NewEvents::LIST);
        out.push_sql(") ");
        self.events.rows(&mut out)?;
        out.push_sql(
            " ON CONFLICT DO NOTHING) \
             SELECT (SELECT count(*) FROM opened), (SELECT count(*) FROM settled), \
             (SELECT count(*) FROM finished)",
        );
        Ok(())
    }
}

impl Query for WriteAll<'_> {
    type SqlType = (BigInt, BigInt, BigInt);
}

prepared_once!(WriteAll);
