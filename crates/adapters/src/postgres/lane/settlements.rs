//! Payments to settle, as rows, and the part of the statement that settles them.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryId};
use diesel::serialize::{self, Output, ToSql, WriteTuple};
use diesel::sql_types::{Array, BigInt, Binary, Integer, Nullable, SmallInt, SqlType, Text};
use payonce_domain::ports::Settle;
use payonce_domain::sabotage::{Rule, is_broken};

use super::rows::{BEGINNING, FromNow};
use crate::postgres::statements::CHANNEL;
use crate::store::ending::Ending;
use crate::store::error::StoreError;
use crate::store::settled_row::SettledRow;
use crate::store::values::{Id, Instant, SqlTime};

/// What settling makes of a record, and how its payment ended; times from [`BEGINNING`].
#[derive(Debug)]
pub struct SettlementRows<'a> {
    /// The record.
    pub record: SettledRow<'a>,
    /// The payment.
    pub ending: Ending<'a>,
}

impl<'a> SettlementRows<'a> {
    /// Of this payment; fails where it has no end.
    pub fn of(call: &'a Settle) -> Result<Self, StoreError> {
        let ending = Ending::of(call, SqlTime(BEGINNING))?;
        Ok(Self { record: SettledRow::of(call, BEGINNING), ending })
    }
}

/// Both in one composite type of the database: what they share is sent once.
#[derive(Debug, Clone, Copy, QueryId, SqlType)]
#[diesel(postgres_type(name = "payment_settlement"))]
pub struct PaymentSettlement;

impl ToSql<PaymentSettlement, Pg> for SettlementRows<'_> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        type Columns = (
            Text,
            Text,
            Text,
            Id,
            Text,
            BigInt,
            SmallInt,
            Text,
            Nullable<Text>,
            Binary,
            FromNow,
            Text,
            Nullable<Text>,
            Nullable<Text>,
            Nullable<Text>,
            Instant,
            Nullable<Instant>,
            BigInt,
            Integer,
            Text,
            Text,
            Nullable<Integer>,
            Nullable<Text>,
            Nullable<Text>,
        );
        let Self { record, ending } = self;
        WriteTuple::<Columns>::write_tuple(
            &(
                &record.account_id,
                &record.key_space,
                &record.key,
                &record.payment_id,
                &record.request_id,
                &record.fence,
                &record.answer_status,
                &record.answer_content_type,
                &record.answer_location,
                &record.answer_body,
                &record.expires_at,
                &ending.status,
                &ending.gateway_reference,
                &ending.failure_code,
                &ending.decline_code,
                &ending.completed_at,
                &ending.created_at,
                &ending.last.fence,
                &ending.last.step,
                &ending.last.actor,
                &ending.last.kind,
                &ending.last.attempt,
                &ending.last.detail,
                &ending.last.followed_by,
            ),
            &mut out.reborrow(),
        )
    }
}

/// Settles the records that are running under their owners' fences and that nobody has locked, as `settled`,
/// tells how their payments ended, and announces those that somebody waits for, as `announced`. An end that is
/// there already although its record is not settled fails the statement.
pub fn settle<'b>(
    out: &mut AstPass<'_, 'b, Pg>,
    rows: &'b [SettlementRows<'_>],
) -> QueryResult<()> {
    out.push_sql(
        "settled AS (UPDATE idempotency_records AS record SET state = 'settled', \
         due_at = NULL, answer_status = row.answer_status, \
         answer_content_type = row.answer_content_type, \
         answer_location = row.answer_location, answer_body = row.answer_body, \
         settled_at = (SELECT now FROM clock), \
         expires_at = (SELECT now FROM clock) + row.expires_at FROM unnest(",
    );
    out.push_bind_param::<Array<PaymentSettlement>, [_]>(rows)?;
    // `IS TRUE` hides the lease from the planner, whom an index of leases would tempt.
    out.push_sql(
        ") AS row WHERE record.account_id = row.account_id \
         AND record.key_space = row.key_space AND record.key = row.key \
         AND record.payment_id = row.payment_id AND record.request_id = row.request_id \
         AND (record.due_at IS NOT NULL) IS TRUE",
    );
    if !is_broken(Rule::Fence) {
        out.push_sql(" AND record.fence = row.owner AND record.state = 'running'");
    }
    // A row that somebody has locked is left to run alone, so that no batch waits for it.
    out.push_sql(
        " AND record.xmax = '0' RETURNING row.account_id, row.payment_id, row.status, \
         row.gateway_reference, row.failure_code, row.decline_code, row.completed_at, \
         row.created_at, row.fence, row.step, row.actor, row.kind, row.attempt, row.detail, row.followed_by, \
         record.is_awaited), \
         ended AS (INSERT INTO payment_outcomes (account_id, payment_id, status, \
         gateway_reference, failure_code, decline_code, completed_at, created_at, \
         fence, step, actor, kind, attempt, detail, followed_by, at) \
         SELECT account_id, payment_id, status, \
         gateway_reference, failure_code, decline_code, completed_at, created_at, \
         fence, step, actor, kind, attempt, detail, followed_by, (SELECT now FROM clock) \
         FROM settled), \
         announced AS MATERIALIZED (SELECT pg_notify('",
    );
    out.push_sql(CHANNEL);
    out.push_sql("', payment_id::text) FROM settled WHERE is_awaited)");
    Ok(())
}
