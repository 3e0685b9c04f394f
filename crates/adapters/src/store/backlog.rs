//! Counts what is not settled, spelled alike for both stores.

use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use payonce_domain::ports::{Backlog, BacklogQueries, RepositoryError, Unsettled, UnsettledState};
use time::OffsetDateTime;

use super::connections::Connections;
use super::error::StoreError;
use super::sql_store::SqlStore;
use super::statements::Statements;
use super::values::{Instant, SqlTime};

/// The payments in one state.
#[derive(Debug, QueryableByName)]
pub struct StateRow {
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = BigInt)]
    payments: i64,
    #[diesel(sql_type = Nullable<Instant>)]
    oldest: Option<SqlTime>,
}

/// The statements that count, each by an index on what is unsettled.
pub trait BacklogStatements: Statements {
    /// Every state but review: what waits for a time.
    fn count_by_state(&mut self) -> QueryResult<Vec<StateRow>>;

    /// What waits for an operator.
    fn count_in_review(&mut self) -> QueryResult<Vec<StateRow>>;

    /// What is due, and since when.
    fn count_due(&mut self, now: SqlTime) -> QueryResult<(i64, Option<SqlTime>)>;
}

/// Looks each payment up by its key: a join might read all payments for the few that are unsettled.
macro_rules! count_where {
    ($unsettled:literal) => {
        concat!(
            "SELECT state, count(*) AS payments, min((SELECT created_at FROM payments \
             WHERE account_id = record.account_id AND id = record.payment_id)) AS oldest \
             FROM idempotency_records AS record WHERE ",
            $unsettled,
            " GROUP BY state"
        )
    };
}

/// Counts what waits for a time.
pub const BY_STATE: &str = count_where!("due_at IS NOT NULL");

/// Counts what waits for an operator.
pub const IN_REVIEW: &str = count_where!("state = 'in_review'");

/// The statements, which both stores spell alike.
macro_rules! shared_backlog_statements {
    () => {
        fn count_by_state(&mut self) -> QueryResult<Vec<StateRow>> {
            diesel::sql_query(backlog::BY_STATE).load(self)
        }

        fn count_in_review(&mut self) -> QueryResult<Vec<StateRow>> {
            diesel::sql_query(backlog::IN_REVIEW).load(self)
        }

        fn count_due(&mut self, now: SqlTime) -> QueryResult<(i64, Option<SqlTime>)> {
            idempotency_records::table
                .filter(idempotency_records::due_at.le(now))
                .select((count_star(), min(idempotency_records::due_at)))
                .first(self)
        }
    };
}
pub(crate) use shared_backlog_statements;

fn count(store: &mut impl BacklogStatements) -> Result<Backlog, StoreError> {
    let now = store.now()?;
    let mut rows = store.count_by_state()?;
    rows.extend(store.count_in_review()?);
    let unsettled = rows
        .into_iter()
        .map(|row| {
            let state = UnsettledState::from_stored(&row.state).ok_or_else(|| {
                StoreError::inconsistent(
                    "idempotency_records.state",
                    "an unknown state is unsettled",
                )
            })?;
            let payments = row.payments.unsigned_abs();
            Ok(Unsettled { state, payments, oldest: age(row.oldest, now) })
        })
        .collect::<Result<_, StoreError>>()?;
    let (due, first) = store.count_due(SqlTime::truncated(now))?;
    Ok(Backlog { unsettled, due: due.unsigned_abs(), lag: age(first, now) })
}

fn age(since: Option<SqlTime>, now: OffsetDateTime) -> Duration {
    since.and_then(|since| (now - since.0).try_into().ok()).unwrap_or_default()
}

#[async_trait]
impl<C: Connections> BacklogQueries for SqlStore<C> {
    async fn backlog(&self) -> Result<Backlog, RepositoryError> {
        self.connections.read(count).await
    }
}
