//! The protocol's statements on SQLite.

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
use crate::store::values::{SqlTime, SqlUuid};

impl Statements for SqliteConnection {
    /// The file and this process share one clock.
    #[expect(clippy::disallowed_methods, reason = "this is the store's own clock")]
    fn now(&mut self) -> QueryResult<OffsetDateTime> {
        Ok(SqlTime::truncated(OffsetDateTime::now_utc()).0)
    }

    /// The transaction holds the only write lock already.
    fn lock_record(&mut self, id: &RecordId) -> QueryResult<Option<RecordRow>> {
        idempotency_records::table
            .find((id.account.as_str(), id.space.as_str(), id.key.as_str()))
            .select(RecordRow::as_select())
            .first(self)
            .optional()
    }

    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<usize> {
        rows.iter().try_fold(0, |inserted, row| {
            let one = diesel::insert_into(payment_events::table)
                .values(row)
                .on_conflict_do_nothing()
                .execute(self)?;
            Ok(inserted + one)
        })
    }

    shared_statements!();
}

impl Queries for SqliteConnection {
    shared_queries!();
}
