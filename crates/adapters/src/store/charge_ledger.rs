//! The books of the fake gateway, in the service's own database.
//!
//! A key's row is inserted once and never changed: whoever inserts it decides the key, whichever
//! instance it is.

use std::sync::Arc;

use async_trait::async_trait;
use diesel::prelude::*;
use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::{
    ChargeContents, ChargeLedger, Entered, LedgerCharge, LedgerEntry, RepositoryError,
};
use time::OffsetDateTime;

use super::connections::Connections;
use super::error::StoreError;
use super::schema::gateway_charges;
use super::sql_store::SqlStore;
use super::statements::Statements;
use super::values::{SqlTime, SqlUuid};

/// A row of `gateway_charges`.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = gateway_charges, treat_none_as_default_value = false)]
pub struct ChargeRow {
    key: SqlUuid,
    status: String,
    charge_id: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    payment_method: Option<String>,
    reference: Option<String>,
    decline_code: Option<String>,
    executed_at: SqlTime,
}

impl ChargeRow {
    fn new(key: GatewayKey, entry: &LedgerEntry, at: OffsetDateTime) -> Self {
        let voided = Self {
            key: SqlUuid(key.0),
            status: "voided".to_owned(),
            charge_id: None,
            amount: None,
            currency: None,
            payment_method: None,
            reference: None,
            decline_code: None,
            executed_at: SqlTime::truncated(at),
        };
        let LedgerEntry::Charge(charge) = entry else {
            return voided;
        };
        let is_approved = charge.decline_code.is_none();
        Self {
            status: if is_approved { "approved" } else { "declined" }.to_owned(),
            charge_id: Some(charge.id.clone()),
            amount: Some(charge.contents.amount.clone()),
            currency: Some(charge.contents.currency.clone()),
            payment_method: charge.contents.payment_method.clone(),
            reference: charge.reference.clone(),
            decline_code: charge.decline_code.clone(),
            ..voided
        }
    }
}

impl TryFrom<ChargeRow> for LedgerEntry {
    type Error = StoreError;

    fn try_from(row: ChargeRow) -> Result<Self, Self::Error> {
        let key = row.key.0;
        let broken = |column: &str| {
            let place = format!("gateway_charges.{column} of key {key}");
            StoreError::inconsistent(place, "the value is missing or unknown")
        };
        let has_decline_code = match row.status.as_str() {
            "voided" => return Ok(Self::Voided),
            "approved" => false,
            "declined" => true,
            _ => return Err(broken("status")),
        };
        if row.decline_code.is_some() != has_decline_code {
            return Err(broken("decline_code"));
        }
        Ok(Self::Charge(Arc::new(LedgerCharge {
            id: row.charge_id.ok_or_else(|| broken("charge_id"))?,
            contents: ChargeContents {
                amount: row.amount.ok_or_else(|| broken("amount"))?,
                currency: row.currency.ok_or_else(|| broken("currency"))?,
                payment_method: row.payment_method,
            },
            reference: row.reference,
            decline_code: row.decline_code,
        })))
    }
}

/// The statements that the books are kept by.
pub trait LedgerStatements: Statements {
    /// Inserts an entry; false when its key has one already. Waits for a racing insert.
    fn insert_charge_if_absent(&mut self, row: &ChargeRow) -> QueryResult<bool>;

    /// The entry of a key.
    fn charge(&mut self, key: GatewayKey) -> QueryResult<Option<ChargeRow>>;

    /// The entries of the keys after that one, in the order of their keys.
    fn charges(&mut self, after: Option<GatewayKey>, limit: u32) -> QueryResult<Vec<ChargeRow>>;

    /// How many charges have moved money.
    fn live_charges(&mut self) -> QueryResult<i64>;
}

/// The statements, which both stores spell alike.
macro_rules! shared_ledger_statements {
    () => {
        fn insert_charge_if_absent(&mut self, row: &ChargeRow) -> QueryResult<bool> {
            let inserted = diesel::insert_into(gateway_charges::table)
                .values(row)
                .on_conflict(gateway_charges::key)
                .do_nothing()
                .execute(self)?;
            Ok(inserted == 1)
        }

        fn charge(&mut self, key: GatewayKey) -> QueryResult<Option<ChargeRow>> {
            gateway_charges::table
                .find(SqlUuid(key.0))
                .select(ChargeRow::as_select())
                .get_result(self)
                .optional()
        }

        fn charges(
            &mut self,
            after: Option<GatewayKey>,
            limit: u32,
        ) -> QueryResult<Vec<ChargeRow>> {
            let page = gateway_charges::table
                .order(gateway_charges::key)
                .limit(limit.into())
                .select(ChargeRow::as_select());
            match after {
                None => page.load(self),
                Some(after) => page.filter(gateway_charges::key.gt(SqlUuid(after.0))).load(self),
            }
        }

        fn live_charges(&mut self) -> QueryResult<i64> {
            gateway_charges::table
                .filter(gateway_charges::status.eq("approved"))
                .count()
                .get_result(self)
        }
    };
}
pub(crate) use shared_ledger_statements;

/// Enters what became of a key, unless the key has an entry.
fn enter(
    store: &mut impl LedgerStatements,
    key: GatewayKey,
    entry: &LedgerEntry,
) -> Result<Entered, StoreError> {
    let now = store.now()?;
    if store.insert_charge_if_absent(&ChargeRow::new(key, entry, now))? {
        return Ok(Entered { entry: entry.clone(), is_new: true });
    }
    let row = store.charge(key)?.ok_or_else(|| {
        let place = format!("gateway_charges.key {}", key.0);
        StoreError::inconsistent(place, "an entry that was there is gone")
    })?;
    Ok(Entered { entry: row.try_into()?, is_new: false })
}

#[async_trait]
impl<C: Connections> ChargeLedger for SqlStore<C> {
    async fn execute(
        &self,
        key: GatewayKey,
        charge: Arc<LedgerCharge>,
    ) -> Result<Entered, RepositoryError> {
        let entry = LedgerEntry::Charge(charge);
        self.connections.write(move |conn| enter(conn, key, &entry)).await
    }

    async fn find(&self, key: GatewayKey) -> Result<Option<LedgerEntry>, RepositoryError> {
        let find = move |conn: &mut C::Connection| {
            conn.charge(key)?.map(LedgerEntry::try_from).transpose()
        };
        self.connections.read(find).await
    }

    async fn void(&self, key: GatewayKey) -> Result<LedgerEntry, RepositoryError> {
        let void = move |conn: &mut C::Connection| enter(conn, key, &LedgerEntry::Voided);
        Ok(self.connections.write(void).await?.entry)
    }

    async fn entries(
        &self,
        after: Option<GatewayKey>,
        limit: u32,
    ) -> Result<Vec<(GatewayKey, LedgerEntry)>, RepositoryError> {
        let read = move |conn: &mut C::Connection| {
            let rows = LedgerStatements::charges(conn, after, limit)?;
            rows.into_iter().map(|row| Ok((GatewayKey(row.key.0), row.try_into()?))).collect()
        };
        self.connections.read(read).await
    }

    async fn live_charges(&self) -> Result<u64, RepositoryError> {
        let count = |conn: &mut C::Connection| Ok(LedgerStatements::live_charges(conn)?);
        Ok(self.connections.read(count).await?.unsigned_abs())
    }
}
