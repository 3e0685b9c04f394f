//! The protocol's statements on SQLite.

use diesel::dsl::{count_star, exists, min, not, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use payonce_domain::account::AccountId;
use payonce_domain::gateway::GatewayIdentity;
use payonce_domain::gateway::GatewayKey;
use payonce_domain::idempotency::RecordId;
use payonce_domain::payment::{Payment, PaymentEvent, PaymentId, PaymentStatus};
use payonce_domain::ports::{KnownKey, LeaseRenewal, PaymentPage, TakeDue};
use payonce_domain::transaction::TransactionKey;
use time::OffsetDateTime;

use crate::store::api_keys::{ApiKeyRow, ApiKeyStatements, shared_api_key_statements};
use crate::store::backlog::{self, BacklogStatements, StateRow, shared_backlog_statements};
use crate::store::charge_ledger::{ChargeRow, LedgerStatements, shared_ledger_statements};
use crate::store::ending::Ending;
use crate::store::error::StoreError;
use crate::store::prepared::InsertEvent;
use crate::store::queries::{APART, FEW, ListCall, Queries, one_page, page, shared_queries};
use crate::store::rows::{PaymentRow, RecordRow};
use crate::store::schema::{
    api_keys, gateway_charges, idempotency_records, payment_outcomes, payment_states,
    payment_timeline, payments, pinned_settings, transaction_conflicts, transactions,
};
use crate::store::statements::{Statements, shared_statements};
use crate::store::timeline::{EventRow, TimelineRow};
use crate::store::transaction_queue::{
    ConflictRow, TransactionRow, TransactionStatements, shared_transaction_statements,
};
use crate::store::values::{Instant, SqlTime, SqlUuid};

impl Statements for SqliteConnection {
    /// The file and this process share one clock.
    #[expect(clippy::disallowed_methods, reason = "this is the store's own clock")]
    fn now(&mut self) -> QueryResult<OffsetDateTime> {
        Ok(SqlTime::truncated(OffsetDateTime::now_utc()).0)
    }

    /// A transaction cannot choose.
    fn need_not_last(&mut self) -> QueryResult<()> {
        Ok(())
    }

    fn purge_expired(&mut self, now: SqlTime, limit: u32) -> QueryResult<usize> {
        diesel::sql_query(
            "UPDATE idempotency_records SET state = 'purged', answer_status = NULL, \
             answer_content_type = NULL, answer_location = NULL, answer_body = NULL \
             WHERE rowid IN (SELECT rowid FROM idempotency_records \
             WHERE state = 'settled' AND expires_at <= ? ORDER BY expires_at LIMIT ?)",
        )
        .bind::<Instant, _>(now)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self)
    }

    fn forget_purged(&mut self, settled_until: SqlTime, limit: u32) -> QueryResult<usize> {
        diesel::sql_query(
            "DELETE FROM idempotency_records WHERE rowid IN (SELECT rowid \
             FROM idempotency_records WHERE state = 'purged' AND settled_at <= ? \
             ORDER BY settled_at LIMIT ?)",
        )
        .bind::<Instant, _>(settled_until)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self)
    }

    /// Other processes on the file ask it from time to time.
    fn announce(&mut self, _: PaymentId) -> QueryResult<()> {
        Ok(())
    }

    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<usize> {
        rows.iter().try_fold(0, |inserted, row| Ok(inserted + InsertEvent(row).execute(self)?))
    }

    // The transaction holds the only write lock already.
    shared_statements!(lock: [], lock_free: []);
}

impl Queries for SqliteConnection {
    shared_queries!();
}

impl LedgerStatements for SqliteConnection {
    shared_ledger_statements!();
}

impl ApiKeyStatements for SqliteConnection {
    shared_api_key_statements!();
}

impl BacklogStatements for SqliteConnection {
    shared_backlog_statements!();
}

impl TransactionStatements for SqliteConnection {
    shared_transaction_statements!(lock: [], lock_free: []);
}
