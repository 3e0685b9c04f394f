//! The protocol's statements on PostgreSQL.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use payonce_domain::account::AccountId;
use payonce_domain::gateway::GatewayIdentity;
use payonce_domain::gateway::GatewayKey;
use payonce_domain::idempotency::RecordId;
use payonce_domain::payment::{Payment, PaymentEvent, PaymentId};
use payonce_domain::ports::{KnownKey, LeaseRenewal, PaymentPage, TakeDue};
use time::OffsetDateTime;

use crate::store::charge_ledger::{ChargeRow, LedgerStatements, shared_ledger_statements};
use crate::store::error::StoreError;
use crate::store::queries::{ListCall, Queries, page, shared_queries};
use crate::store::rows::{EventRow, FinalState, PaymentRow, RecordRow};
use crate::store::schema::{
    gateway_charges, idempotency_records, payment_events, payments, pinned_settings,
};
use crate::store::transactions::{Statements, shared_statements};
use crate::store::values::{Instant, SqlTime, SqlUuid};

/// Where settled payments are announced.
pub const CHANNEL: &str = "payonce_settled";

#[diesel::declare_sql_function]
extern "SQL" {
    /// Sends a notification when the transaction commits.
    fn pg_notify(channel: Text, payload: Text);

    /// The time of day now, not at the start of the transaction.
    fn clock_timestamp() -> Instant;
}

impl Statements for PgConnection {
    fn now(&mut self) -> QueryResult<OffsetDateTime> {
        diesel::select(clock_timestamp()).first::<SqlTime>(self).map(|now| now.0)
    }

    /// A statement of its own behind the insert: it then sees the row that won the race.
    fn lock_record(&mut self, id: &RecordId) -> QueryResult<Option<RecordRow>> {
        idempotency_records::table
            .find((id.account.as_str(), id.space.as_str(), id.key.as_str()))
            .select(RecordRow::as_select())
            .for_update()
            .first(self)
            .optional()
    }

    fn lock_due_records(&mut self, call: &TakeDue, now: SqlTime) -> QueryResult<Vec<RecordRow>> {
        // No gateway's kind is empty.
        let nobody = GatewayIdentity::default();
        let gateway = call.gateway.as_ref().unwrap_or(&nobody);
        let ours = payments::gateway_kind
            .eq(gateway.kind.as_str())
            .and(payments::gateway_base_url.eq(gateway.base_url.as_str()))
            .and(payments::gateway_account.eq(gateway.account.as_str()));
        let long_ago = SqlTime::truncated(now.0 - call.review_after);
        idempotency_records::table
            .inner_join(
                payments::table.on(payments::account_id
                    .eq(idempotency_records::account_id)
                    .and(payments::id.eq(idempotency_records::payment_id))),
            )
            .filter(idempotency_records::due_at.le(now))
            .filter(ours.or(payments::created_at.le(long_ago)))
            .order(idempotency_records::due_at)
            .limit(call.limit.into())
            .select(RecordRow::as_select())
            .for_update()
            .skip_locked()
            .load(self)
    }

    fn purge_expired(&mut self, now: SqlTime, limit: u32) -> QueryResult<usize> {
        diesel::sql_query(
            "UPDATE idempotency_records SET state = 'purged', answer_status = NULL, \
             answer_content_type = NULL, answer_location = NULL, answer_body = NULL \
             WHERE ctid = ANY (ARRAY (SELECT ctid FROM idempotency_records \
             WHERE state = 'settled' AND expires_at <= $1 ORDER BY expires_at LIMIT $2 \
             FOR UPDATE SKIP LOCKED))",
        )
        .bind::<Instant, _>(now)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self)
    }

    fn forget_purged(&mut self, settled_until: SqlTime, limit: u32) -> QueryResult<usize> {
        diesel::sql_query(
            "DELETE FROM idempotency_records \
             WHERE ctid = ANY (ARRAY (SELECT ctid FROM idempotency_records \
             WHERE state = 'purged' AND settled_at <= $1 ORDER BY settled_at LIMIT $2 \
             FOR UPDATE SKIP LOCKED))",
        )
        .bind::<Instant, _>(settled_until)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self)
    }

    /// A transaction that announces nothing takes no part in the server's queue of notifications.
    fn announce(&mut self, payment: PaymentId) -> QueryResult<()> {
        diesel::select(pg_notify(CHANNEL, payment.to_string())).execute(self).map(|_| ())
    }

    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<usize> {
        diesel::insert_into(payment_events::table)
            .values(rows)
            .on_conflict_do_nothing()
            .execute(self)
    }

    shared_statements!();
}

impl Queries for PgConnection {
    shared_queries!();
}

impl LedgerStatements for PgConnection {
    shared_ledger_statements!();
}
