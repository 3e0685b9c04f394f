//! Rows of the queue, and their way into and out of the domain. A row that breaks a rule is named,
//! never repaired.

use diesel::prelude::*;
use payonce_domain::idempotency::Fence;
use payonce_domain::money::Money;
use payonce_domain::ports::{BoxedError, TransactionConflict};
use payonce_domain::text::Text;
use payonce_domain::transaction::{
    Transaction, TransactionContents, TransactionId, TransactionKey, TransactionState,
};
use time::OffsetDateTime;

use crate::store::error::StoreError;
use crate::store::schema::{transaction_conflicts, transactions};
use crate::store::values::SqlTime;

/// A row of `transactions`.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = transactions, treat_none_as_default_value = false)]
#[diesel(treat_none_as_null = true, primary_key(account_id, transaction_id))]
pub struct TransactionRow {
    pub(crate) account_id: String,
    pub(crate) transaction_id: String,
    pub(crate) source_account: String,
    pub(crate) destination_account: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) state: String,
    pub(crate) fence: i64,
    pub(crate) attempts: i32,
    pub(crate) due_at: Option<SqlTime>,
    pub(crate) last_failure: Option<String>,
    pub(crate) created_at: SqlTime,
    pub(crate) processed_at: Option<SqlTime>,
}

impl TransactionRow {
    /// The primary key.
    pub fn key(&self) -> (&str, &str) {
        (&self.account_id, &self.transaction_id)
    }
}

impl From<&Transaction> for TransactionRow {
    fn from(transaction: &Transaction) -> Self {
        let (state, due_at, processed_at) = match transaction.state {
            TransactionState::Waiting { due_at } => ("waiting", Some(due_at), None),
            TransactionState::Running { lease_until } => ("running", Some(lease_until), None),
            TransactionState::Processed { at } => ("processed", None, Some(at)),
            TransactionState::Dead => ("dead", None, None),
        };
        let contents = &transaction.contents;
        Self {
            account_id: transaction.key.account.as_str().to_owned(),
            transaction_id: transaction.key.id.as_str().to_owned(),
            source_account: contents.source_account.as_str().to_owned(),
            destination_account: contents.destination_account.as_str().to_owned(),
            amount_minor: contents.money.minor(),
            currency: contents.money.currency().code().to_owned(),
            state: state.to_owned(),
            fence: transaction.fence.0,
            attempts: i32::try_from(transaction.attempts).unwrap_or(i32::MAX),
            due_at: due_at.map(SqlTime::truncated),
            last_failure: transaction.last_failure.clone(),
            created_at: SqlTime::truncated(transaction.created_at),
            processed_at: processed_at.map(SqlTime::truncated),
        }
    }
}

impl TryFrom<TransactionRow> for Transaction {
    type Error = StoreError;

    fn try_from(row: TransactionRow) -> Result<Self, Self::Error> {
        let at = Place { table: "transactions", id: &row.transaction_id };
        let time = |column, value: Option<SqlTime>| {
            value.map(|time| time.0).ok_or_else(|| at.broken(column, "the value is missing"))
        };
        let state = match row.state.as_str() {
            "waiting" => TransactionState::Waiting { due_at: time("due_at", row.due_at)? },
            "running" => TransactionState::Running { lease_until: time("due_at", row.due_at)? },
            "processed" => {
                TransactionState::Processed { at: time("processed_at", row.processed_at)? }
            }
            "dead" => TransactionState::Dead,
            other => return Err(at.broken("state", format!("{other:?} is no state"))),
        };
        Ok(Self {
            key: TransactionKey {
                account: at.parsed("account_id", row.account_id.parse())?,
                id: at
                    .parsed("transaction_id", TransactionId::parse(row.transaction_id.as_str()))?,
            },
            contents: at.contents(
                &row.source_account,
                &row.destination_account,
                row.amount_minor,
                &row.currency,
            )?,
            fence: Fence(row.fence),
            attempts: at.parsed("attempts", row.attempts.try_into())?,
            state,
            last_failure: row.last_failure,
            created_at: row.created_at.0,
        })
    }
}

/// A row of `transaction_conflicts`.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = transaction_conflicts, treat_none_as_default_value = false)]
pub struct ConflictRow {
    account_id: String,
    transaction_id: String,
    times: i64,
    source_account: String,
    destination_account: String,
    amount_minor: i64,
    currency: String,
    first_seen_at: SqlTime,
    last_seen_at: SqlTime,
}

/// What a further disagreement writes over the one before.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = transaction_conflicts)]
pub struct LatestConflict<'a> {
    source_account: &'a str,
    destination_account: &'a str,
    amount_minor: i64,
    currency: &'a str,
    last_seen_at: SqlTime,
}

impl ConflictRow {
    /// The first disagreement about a transaction.
    pub fn new(key: &TransactionKey, contents: &TransactionContents, at: OffsetDateTime) -> Self {
        Self {
            account_id: key.account.as_str().to_owned(),
            transaction_id: key.id.as_str().to_owned(),
            times: 1,
            source_account: contents.source_account.as_str().to_owned(),
            destination_account: contents.destination_account.as_str().to_owned(),
            amount_minor: contents.money.minor(),
            currency: contents.money.currency().code().to_owned(),
            first_seen_at: SqlTime::truncated(at),
            last_seen_at: SqlTime::truncated(at),
        }
    }

    /// What it writes over an earlier one.
    pub fn latest(&self) -> LatestConflict<'_> {
        LatestConflict {
            source_account: &self.source_account,
            destination_account: &self.destination_account,
            amount_minor: self.amount_minor,
            currency: &self.currency,
            last_seen_at: self.last_seen_at,
        }
    }
}

impl TryFrom<ConflictRow> for TransactionConflict {
    type Error = StoreError;

    fn try_from(row: ConflictRow) -> Result<Self, Self::Error> {
        let at = Place { table: "transaction_conflicts", id: &row.transaction_id };
        Ok(Self {
            times: at.parsed("times", row.times.try_into())?,
            last_contents: at.contents(
                &row.source_account,
                &row.destination_account,
                row.amount_minor,
                &row.currency,
            )?,
        })
    }
}

/// Where a value stands, for naming what is broken.
struct Place<'a> {
    table: &'static str,
    id: &'a str,
}

impl Place<'_> {
    fn broken(&self, column: &str, source: impl Into<BoxedError>) -> StoreError {
        let place = format!("{}.{column} of transaction {}", self.table, self.id);
        StoreError::inconsistent(place, source)
    }

    fn parsed<T, E: Into<BoxedError>>(
        &self,
        column: &str,
        value: Result<T, E>,
    ) -> Result<T, StoreError> {
        value.map_err(|error| self.broken(column, error))
    }

    fn contents(
        &self,
        source_account: &str,
        destination_account: &str,
        amount_minor: i64,
        currency: &str,
    ) -> Result<TransactionContents, StoreError> {
        let currency = self.parsed("currency", currency.parse())?;
        Ok(TransactionContents {
            source_account: self.parsed("source_account", Text::parse(source_account))?,
            destination_account: self
                .parsed("destination_account", Text::parse(destination_account))?,
            money: self.parsed("amount_minor", Money::from_minor(amount_minor, currency))?,
        })
    }
}
