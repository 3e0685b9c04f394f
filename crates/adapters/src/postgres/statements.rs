//! The protocol's statements on PostgreSQL.

use diesel::dsl::{count_star, exists, min, not, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
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
use crate::store::queries::{APART, FEW, ListCall, Queries, one_page, page, shared_queries};
use crate::store::rows::{PaymentRow, RecordRow};
use crate::store::schema::{
    api_keys, gateway_charges, idempotency_records, payment_events, payment_outcomes,
    payment_states, payment_timeline, payments, pinned_settings, transaction_conflicts,
    transactions,
};
use crate::store::statements::{Statements, shared_statements};
use crate::store::timeline::{EventRow, TimelineRow};
use crate::store::transaction_queue::{
    ConflictRow, TransactionRow, TransactionStatements, shared_transaction_statements,
};
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

    /// Live commits then do not queue for the disk behind this one. A later commit that lasts makes
    /// this one last too: the log has one order.
    fn need_not_last(&mut self) -> QueryResult<()> {
        diesel::sql_query("SET LOCAL synchronous_commit = off").execute(self).map(|_| ())
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

    shared_statements!(lock: [.for_update()], lock_free: [.for_update().skip_locked()]);
}

impl Queries for PgConnection {
    shared_queries!();
}

impl LedgerStatements for PgConnection {
    shared_ledger_statements!();
}

impl ApiKeyStatements for PgConnection {
    shared_api_key_statements!();
}

impl BacklogStatements for PgConnection {
    shared_backlog_statements!();
}

impl TransactionStatements for PgConnection {
    shared_transaction_statements!(lock: [.for_update()], lock_free: [.for_update().skip_locked()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use payonce_testing::TestDatabase;

    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        value: String,
    }

    fn synchronous_commit(conn: &mut PgConnection) -> String {
        let shown = "SELECT current_setting('synchronous_commit') AS value";
        diesel::sql_query(shown).get_result::<Setting>(conn).expect("it is shown").value
    }

    #[test]
    fn only_the_transaction_that_need_not_last_does_not_wait_for_the_disk() {
        let database = TestDatabase::postgres();
        let mut conn = PgConnection::establish(database.url()).expect("the server answers");
        let within = Connection::transaction(&mut conn, |conn| {
            conn.need_not_last()?;
            Ok::<_, diesel::result::Error>(synchronous_commit(conn))
        });
        assert_eq!(within.expect("it commits"), "off");
        assert_eq!(synchronous_commit(&mut conn), "on");
    }
}
