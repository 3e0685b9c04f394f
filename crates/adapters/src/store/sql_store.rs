//! The ports on a SQL store.

use std::sync::Arc;

use async_trait::async_trait;
use payonce_domain::account::AccountId;
use payonce_domain::idempotency::{Fingerprint, RecordId, SettledAnswer};
use payonce_domain::payment::{Payment, PaymentEvent, PaymentId};
use payonce_domain::ports::{
    BoxedError, HandOver, IdempotencyRepository, KnownKey, LeaseRenewal, OpaqueRepository,
    OpaqueStored, OpenPayment, Opened, Owned, PageCursor, PaymentFilter, PaymentPage,
    PaymentQueries, PaymentRepository, PinnedSettings, Renewed, RepositoryError, Settle, Settled,
    SettlementNews, StoreOpaque, Sweep, Swept, TakeDue, TakeReviewed, Tell,
};

use super::StoreOptions;
use super::connections::Connections;
use super::error::StoreError;
use super::opaque::store_opaque;
use super::pool_use::{PoolUse, Pooled};
use super::queries::{ListCall, Queries};
use super::statements::Statements;
use super::transactions;
use crate::measurements::Measurements;
use crate::migrations::{Migrate, MigrationState};

/// Payments and keys in a SQL database.
#[derive(Clone)]
pub struct SqlStore<C> {
    pub(super) connections: C,
}

impl<C: Connections> SqlStore<C> {
    /// Prepares the store; connects only when it is used. Fails on a URL that is none.
    pub fn new(
        url: &str,
        options: StoreOptions,
        measurements: &Measurements,
    ) -> Result<Self, BoxedError> {
        Ok(Self { connections: C::prepare(url, options, measurements)? })
    }

    /// Runs the migrations that are pending; returns their names.
    pub async fn migrate_up(&self) -> Result<Vec<String>, BoxedError> {
        self.connections.apart(Migrate::migrate_up).await
    }

    /// Reverts the newest migration; returns its name, or `None` when there is none.
    pub async fn migrate_down(&self) -> Result<Option<String>, BoxedError> {
        self.connections.apart(Migrate::migrate_down).await
    }

    /// Every migration of this build, oldest first, and whether it was run.
    pub async fn migration_states(&self) -> Result<Vec<MigrationState>, BoxedError> {
        self.connections.apart(Migrate::migration_states).await
    }

    /// Closes the connections; what is under way ends first.
    pub fn close(&self) {
        self.connections.close();
    }
}

impl<C: Connections> Pooled for SqlStore<C> {
    fn pool_use(&self) -> Vec<PoolUse> {
        self.connections.pool_use()
    }
}

#[async_trait]
impl<C: Connections> PaymentRepository for SqlStore<C> {
    async fn open(&self, open: Arc<OpenPayment>) -> Result<Opened, RepositoryError> {
        self.connections.open(open).await
    }

    fn expects_repeats(&self) -> bool {
        self.connections.expects_repeats()
    }

    async fn replay(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> Result<Option<SettledAnswer>, RepositoryError> {
        self.connections.replay(record, fingerprint).await
    }

    async fn renew(&self, renewal: LeaseRenewal) -> Result<Renewed, RepositoryError> {
        self.connections.write(move |conn| transactions::renew(conn, &renewal)).await
    }

    async fn take_due(&self, take: TakeDue) -> Result<Vec<Owned>, RepositoryError> {
        self.connections.write(move |conn| transactions::take_due(conn, &take)).await
    }

    async fn take_reviewed(&self, take: TakeReviewed) -> Result<Option<Owned>, RepositoryError> {
        self.connections.write(move |conn| transactions::take_reviewed(conn, &take)).await
    }

    async fn hand_over(&self, hand_over: HandOver) -> Result<Renewed, RepositoryError> {
        self.connections.write(move |conn| transactions::hand_over(conn, &hand_over)).await
    }

    async fn settle(&self, settle: Box<Settle>) -> Result<Settled, RepositoryError> {
        self.connections.settle(settle).await
    }
}

#[async_trait]
impl<C: Connections> IdempotencyRepository for SqlStore<C> {
    async fn find(&self, id: &RecordId) -> Result<Option<KnownKey>, RepositoryError> {
        let id = id.clone();
        self.connections.read(move |conn| conn.find_record(&id)).await
    }

    async fn sweep(&self, sweep: Sweep) -> Result<Swept, RepositoryError> {
        self.connections.write(move |conn| transactions::sweep(conn, sweep)).await
    }
}

#[async_trait]
impl<C: Connections> OpaqueRepository for SqlStore<C> {
    async fn store(&self, call: StoreOpaque) -> Result<OpaqueStored, RepositoryError> {
        self.connections.write(move |conn| store_opaque(conn, &call)).await
    }
}

#[async_trait]
impl<C: Connections> SettlementNews for SqlStore<C> {
    async fn listen(&self, tell: Tell) {
        self.connections.listen(tell).await;
    }
}

#[async_trait]
impl<C: Connections> PinnedSettings for SqlStore<C> {
    async fn pin(&self, name: &str, check_value: &str) -> Result<bool, RepositoryError> {
        let (name, check_value) = (name.to_owned(), check_value.to_owned());
        self.connections
            .write(move |conn| Ok(conn.pin_setting(&name, &check_value)? == check_value))
            .await
    }
}

#[async_trait]
impl<C: Connections> PaymentQueries for SqlStore<C> {
    async fn find(
        &self,
        account: &AccountId,
        id: PaymentId,
    ) -> Result<Option<Payment>, RepositoryError> {
        let account = account.clone();
        self.connections.read(move |conn| conn.find_payment(&account, id)).await
    }

    async fn list(
        &self,
        account: &AccountId,
        filter: &PaymentFilter,
        after: Option<PageCursor>,
        limit: u32,
    ) -> Result<PaymentPage, RepositoryError> {
        let account = account.clone();
        let call = ListCall { filter: filter.clone(), after, limit };
        self.connections.read(move |conn| conn.list_payments(&account, &call)).await
    }

    async fn events(
        &self,
        account: &AccountId,
        id: PaymentId,
    ) -> Result<Option<Vec<PaymentEvent>>, RepositoryError> {
        let account = account.clone();
        self.connections.read(move |conn| conn.payment_events(&account, id)).await
    }

    async fn check(&self) -> Result<(), RepositoryError> {
        let states = self.connections.read(|conn| {
            conn.migration_states().map_err(|error| StoreError::inconsistent("the schema", error))
        });
        match states.await?.into_iter().find(|migration| !migration.is_applied) {
            None => Ok(()),
            Some(pending) => Err(RepositoryError::Inconsistent {
                place: "the schema".to_owned(),
                source: format!("migration {} is pending", pending.name).into(),
            }),
        }
    }
}
