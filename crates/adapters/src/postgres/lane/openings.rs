//! Payments to open, as rows, and the part of the statement that inserts them.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryId};
use diesel::serialize::{self, Output, ToSql, WriteTuple};
use diesel::sql_types::{Array, BigInt, Binary, Integer, Nullable, SmallInt, SqlType, Text};

use super::rows::FromNow;
use crate::store::rows::{PaymentRow, RecordRow};
use crate::store::values::{Document, Id};

/// The record of a key that nobody has used, and its payment; times from
/// [`BEGINNING`](super::rows::BEGINNING).
#[derive(Debug)]
pub struct OpeningRows<'a> {
    /// The record.
    pub record: RecordRow<'a>,
    /// The payment.
    pub payment: PaymentRow<'a>,
}

/// Both in one composite type of the database: what they share is sent once.
#[derive(Debug, Clone, Copy, QueryId, SqlType)]
#[diesel(postgres_type(name = "payment_opening"))]
pub struct PaymentOpening;

impl ToSql<PaymentOpening, Pg> for OpeningRows<'_> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        type Columns = (
            Text,
            Text,
            Text,
            Integer,
            Text,
            Id,
            SmallInt,
            Binary,
            Text,
            BigInt,
            Text,
            Nullable<FromNow>,
            Text,
            Text,
            BigInt,
            Text,
            Nullable<Text>,
            Nullable<Text>,
            Nullable<Text>,
            Document,
            Text,
            Text,
            Text,
            Id,
            Binary,
            Integer,
            Nullable<FromNow>,
        );
        let Self { record, payment } = self;
        WriteTuple::<Columns>::write_tuple(
            &(
                &record.account_id,
                &record.key_space,
                &record.key,
                &record.generation,
                &record.subject,
                &record.payment_id,
                &record.fingerprint_version,
                &record.fingerprint,
                &record.request_id,
                &record.fence,
                &record.state,
                &record.due_at,
                &payment.operation,
                &payment.status,
                &payment.amount_minor,
                &payment.currency,
                &payment.payment_method,
                &payment.reference,
                &payment.description,
                &payment.metadata,
                &payment.gateway_kind,
                &payment.gateway_base_url,
                &payment.gateway_account,
                &payment.gateway_key,
                &payment.gateway_request,
                &payment.attempts,
                &payment.first_sent_at,
            ),
            &mut out.reborrow(),
        )
    }
}

/// Inserts the records whose keys are absent, as `inserted`, and their payments. They are sorted by key:
/// racing inserts wait for each other in one order.
pub fn insert<'b>(out: &mut AstPass<'_, 'b, Pg>, rows: &'b [OpeningRows<'_>]) -> QueryResult<()> {
    out.push_sql("opening AS MATERIALIZED (SELECT * FROM unnest(");
    out.push_bind_param::<Array<PaymentOpening>, [_]>(rows)?;
    // `IS TRUE` keeps the planner from a join: the set is hashed instead.
    out.push_sql(
        ")), inserted AS (INSERT INTO idempotency_records (account_id, key_space, key, generation, \
         subject, payment_id, fingerprint_version, fingerprint, request_id, fence, opening_fence, \
         state, due_at, is_awaited, first_seen_at, last_seen_at) \
         SELECT account_id, key_space, key, generation, \
         subject, payment_id, fingerprint_version, fingerprint, request_id, fence, fence, \
         state, (SELECT now FROM clock) + due_at, false, (SELECT now FROM clock), \
         (SELECT now FROM clock) FROM opening ON CONFLICT DO NOTHING RETURNING payment_id), \
         opened AS (INSERT INTO payments (account_id, id, key_space, key, generation, operation, \
         status, amount_minor, currency, payment_method, reference, description, metadata, \
         gateway_kind, gateway_base_url, gateway_account, gateway_key, gateway_request, attempts, \
         opening_fence, first_sent_at, created_at) \
         SELECT account_id, payment_id, key_space, key, generation, operation, \
         status, amount_minor, currency, payment_method, reference, description, metadata, \
         gateway_kind, gateway_base_url, gateway_account, gateway_key, gateway_request, attempts, \
         fence, (SELECT now FROM clock) + first_sent_at, (SELECT now FROM clock) FROM opening \
         WHERE (payment_id IN (SELECT payment_id FROM inserted)) IS TRUE)",
    );
    Ok(())
}
