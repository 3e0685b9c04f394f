//! The protocol's statements on PostgreSQL.

use diesel::prelude::*;
use payonce_domain::account::AccountId;
use payonce_domain::idempotency::RecordId;
use payonce_domain::payment::{Payment, PaymentEvent, PaymentId};
use payonce_domain::ports::{KnownKey, LeaseRenewal, PaymentPage};
use time::OffsetDateTime;

use crate::store::error::StoreError;
use crate::store::queries::{ListCall, Queries, page, shared_queries};
use crate::store::rows::{EventRow, FinalState, PaymentRow, RecordRow};
use crate::store::schema::{idempotency_records, payment_events, payments};
use crate::store::transactions::{Statements, shared_statements};
use crate::store::values::{Instant, SqlTime, SqlUuid};

#[diesel::declare_sql_function]
extern "SQL" {
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
