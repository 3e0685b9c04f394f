//! A private database for each promise, and what tests do to it.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;
use futures_util::future::join_all;
use payonce_adapters::measurements::Measurements;
use payonce_adapters::postgres::PostgresStore;
use payonce_adapters::sqlite::SqliteStore;
use payonce_adapters::{LaneOptions, StoreOptions};
use payonce_domain::idempotency::{IdempotencyRecord, RecordId};
use payonce_domain::payment::{NewEvent, Payment, PaymentEvent, PaymentId};
use payonce_domain::ports::{
    ApiKeyRepository, BacklogQueries, BoxedError, ChargeLedger, IdempotencyRepository, KnownKey,
    OpaqueRepository, OpenPayment, Opened, Owned, PaymentFilter, PaymentQueries, PaymentRepository,
    Settle, Settled, TransactionRepository,
};
use payonce_testing::TestDatabase;
use tokio::sync::Barrier;

use crate::fixtures;

/// As many connections as there are racing callers in most races.
pub const OPTIONS: StoreOptions = StoreOptions {
    pool_size: 16,
    pool_wait: Duration::from_secs(60),
    direct_url: None,
    lane: LaneOptions { connections: 1, batch: 256, queue: 4096 },
};

/// Runs one promise against a database of its own, and closes its stores inside the runtime.
pub async fn keep<P, F>(make: fn() -> TestDatabase, promise: P)
where
    P: FnOnce(Arc<Database>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let database = Arc::new(Database { itself: make(), stores: Mutex::default() });
    let outcome = tokio::spawn(promise(Arc::clone(&database))).await;
    let stores =
        std::mem::take(&mut *database.stores.lock().unwrap_or_else(PoisonError::into_inner));
    stores.iter().for_each(|store| store.close());
    drop(database);
    if let Err(failure) = outcome {
        resume_unwind(failure.into_panic());
    }
}

/// A database and the stores that were opened on it.
pub struct Database {
    itself: TestDatabase,
    stores: Mutex<Vec<Arc<dyn Schema>>>,
}

impl Database {
    /// A store that is ready.
    pub async fn store(&self) -> Store {
        self.store_with(OPTIONS).await
    }

    /// A store of that size that is ready.
    pub async fn store_with(&self, options: StoreOptions) -> Store {
        let store = self.empty_store(options);
        store.schema.migrate_up().await.expect("the migrations run");
        store
    }

    /// A store on whatever is there.
    pub fn empty_store(&self, options: StoreOptions) -> Store {
        let store = match self.itself.pooler_url() {
            Some(pooler) => {
                let direct_url = Some(self.itself.url().to_owned());
                self.store_at(pooler, StoreOptions { direct_url, ..options })
            }
            None => self.store_at(self.itself.url(), options),
        };
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.push(Arc::clone(&store.schema));
        store
    }

    /// A store of this kind where none can be reached.
    pub fn unreachable_store(&self) -> Store {
        if self.is_postgres() {
            let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let port = closed.local_addr().expect("it is bound").port();
            drop(closed);
            return self.store_at(&format!("postgres://nobody@127.0.0.1:{port}/none"), OPTIONS);
        }
        let folder = std::path::Path::new(self.sqlite_path()).parent().expect("it has a folder");
        self.store_at(&format!("sqlite://{}", folder.display()), OPTIONS)
    }

    fn store_at(&self, url: &str, options: StoreOptions) -> Store {
        if self.is_postgres() {
            Store::new(PostgresStore::new(url, options, &Measurements::default()).expect("a URL"))
        } else {
            Store::new(SqliteStore::new(url, options, &Measurements::default()).expect("a URL"))
        }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        self.itself.url()
    }

    /// Whether it is PostgreSQL's.
    pub fn is_postgres(&self) -> bool {
        self.itself.is_postgres()
    }

    /// Runs plain SQL on a connection of its own.
    pub fn execute(&self, statements: &str) -> QueryResult<()> {
        if self.is_postgres() {
            let mut conn = PgConnection::establish(self.itself.url()).expect("the server is there");
            return conn.batch_execute(statements);
        }
        let mut conn = SqliteConnection::establish(self.sqlite_path()).expect("the file is there");
        conn.batch_execute("PRAGMA busy_timeout = 5000")?;
        conn.batch_execute(statements)
    }

    /// What a query of one number finds.
    pub fn number(&self, query: &str) -> i64 {
        self.itself.number(query)
    }

    /// Runs plain SQL that no CHECK looks at.
    pub fn execute_unchecked(&self, statements: &str) {
        let unchecked = if self.is_postgres() {
            "DO $$ DECLARE one record; BEGIN
                 FOR one IN SELECT conrelid::regclass AS place, conname AS name FROM pg_constraint
                     WHERE contype = 'c' AND connamespace = current_schema()::regnamespace
                 LOOP
                     EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.place, one.name);
                 END LOOP;
             END $$"
        } else {
            "PRAGMA ignore_check_constraints = ON"
        };
        self.execute(&format!("{unchecked}; {statements}")).expect("the statements run");
    }

    /// SQL for a stored time, moved into the past.
    pub fn hours_before(&self, column: &str, hours: u32) -> String {
        if self.is_postgres() {
            format!("{column} - interval '{hours} hours'")
        } else {
            format!("{column} - {hours} * 3600000000")
        }
    }

    fn sqlite_path(&self) -> &str {
        let url = self.itself.url();
        url.strip_prefix("sqlite://").unwrap_or(url)
    }
}

/// Bringing a store's schema forward and back, whichever store it is.
#[async_trait]
pub trait Schema: Send + Sync {
    async fn migrate_up(&self) -> Result<Vec<String>, BoxedError>;
    async fn migrate_down(&self) -> Result<Option<String>, BoxedError>;
    async fn applied(&self) -> Result<Vec<(String, bool)>, BoxedError>;
    fn close(&self);
}

macro_rules! schema {
    ($($store:ty),+) => {$(
        #[async_trait]
        impl Schema for $store {
            async fn migrate_up(&self) -> Result<Vec<String>, BoxedError> {
                <$store>::migrate_up(self).await
            }

            async fn migrate_down(&self) -> Result<Option<String>, BoxedError> {
                <$store>::migrate_down(self).await
            }

            async fn applied(&self) -> Result<Vec<(String, bool)>, BoxedError> {
                let states = <$store>::migration_states(self).await?;
                Ok(states.into_iter().map(|state| (state.name, state.is_applied)).collect())
            }

            fn close(&self) {
                <$store>::close(self);
            }
        }
    )+};
}
schema!(PostgresStore, SqliteStore);

/// A store behind its ports.
#[derive(Clone)]
pub struct Store {
    pub payments: Arc<dyn PaymentRepository>,
    pub keys: Arc<dyn IdempotencyRepository>,
    pub queries: Arc<dyn PaymentQueries>,
    pub opaque: Arc<dyn OpaqueRepository>,
    pub charges: Arc<dyn ChargeLedger>,
    pub backlog: Arc<dyn BacklogQueries>,
    pub transactions: Arc<dyn TransactionRepository>,
    pub api_keys: Arc<dyn ApiKeyRepository>,
    pub schema: Arc<dyn Schema>,
}

/// All that is stored about one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub record: IdempotencyRecord,
    pub payment: Payment,
    pub events: Vec<PaymentEvent>,
}

impl Store {
    fn new<S>(store: S) -> Self
    where
        S: PaymentRepository
            + IdempotencyRepository
            + PaymentQueries
            + OpaqueRepository
            + ChargeLedger
            + BacklogQueries
            + TransactionRepository
            + ApiKeyRepository
            + Schema
            + Clone
            + 'static,
    {
        Self {
            payments: Arc::new(store.clone()),
            keys: Arc::new(store.clone()),
            queries: Arc::new(store.clone()),
            opaque: Arc::new(store.clone()),
            charges: Arc::new(store.clone()),
            backlog: Arc::new(store.clone()),
            transactions: Arc::new(store.clone()),
            api_keys: Arc::new(store.clone()),
            schema: Arc::new(store),
        }
    }

    pub async fn open(&self, call: OpenPayment) -> Opened {
        self.payments.open(Arc::new(call)).await.expect("the store opens")
    }

    /// Opens, for a race.
    pub fn opening(&self, call: OpenPayment) -> Call<Opened> {
        let payments = Arc::clone(&self.payments);
        Box::pin(async move { payments.open(Arc::new(call)).await.expect("the store opens") })
    }

    /// Opens what the caller must come to own.
    pub async fn own(&self, call: OpenPayment) -> Owned {
        match self.open(call).await {
            Opened::Owned(owned) => *owned,
            other => panic!("not owned: {other:?}"),
        }
    }

    pub async fn settle(&self, call: Settle) -> Settled {
        self.payments.settle(Box::new(call)).await.expect("the store settles")
    }

    /// Settles, for a race.
    pub fn settling(&self, call: Settle) -> Call<Settled> {
        let payments = Arc::clone(&self.payments);
        Box::pin(async move { payments.settle(Box::new(call)).await.expect("the store settles") })
    }

    pub async fn known(&self, id: &RecordId) -> KnownKey {
        self.keys.find(id).await.expect("the store finds").expect("the key is known")
    }

    pub async fn payment(&self, id: PaymentId) -> Payment {
        let found = self.queries.find(&fixtures::account(), id).await;
        found.expect("the store finds").expect("the payment is known")
    }

    pub async fn events(&self, id: PaymentId) -> Vec<PaymentEvent> {
        let found = self.queries.events(&fixtures::account(), id).await;
        found.expect("the store finds").expect("the payment is known")
    }

    /// The entries without their times.
    pub async fn timeline(&self, id: PaymentId) -> Vec<NewEvent> {
        self.events(id).await.into_iter().map(|stored| stored.event).collect()
    }

    /// The names of what happened, oldest first.
    pub async fn kinds(&self, id: PaymentId) -> Vec<&'static str> {
        self.timeline(id).await.iter().map(|event| event.kind.as_str()).collect()
    }

    /// Every payment of the account, newest first.
    pub async fn all_payments(&self) -> Vec<Payment> {
        let listed =
            self.queries.list(&fixtures::account(), &PaymentFilter::default(), None, 1_000).await;
        listed.expect("the store lists").payments
    }

    pub async fn snapshot(&self, of: &Payment) -> Snapshot {
        Snapshot {
            record: self.known(&of.record).await.record,
            payment: self.payment(of.id).await,
            events: self.events(of.id).await,
        }
    }
}

/// A call that has not begun.
pub type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Makes every call at the same moment, each in a task of its own.
pub async fn race<T: Send + 'static>(calls: impl IntoIterator<Item = Call<T>>) -> Vec<T> {
    let calls: Vec<_> = calls.into_iter().collect();
    let start = Arc::new(Barrier::new(calls.len()));
    let racers = calls.into_iter().map(|call| {
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            start.wait().await;
            call.await
        })
    });
    let ends = join_all(racers.collect::<Vec<_>>()).await;
    ends.into_iter().map(|end| end.expect("no call panics")).collect()
}

/// The one owner among what racing callers found, and what the others found.
pub fn one_owner(found: Vec<Opened>) -> (Owned, Vec<Opened>) {
    let (mut owners, mut others) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Opened::Owned(owned) => owners.push(*owned),
            other => others.push(other),
        }
    }
    let fences: Vec<_> = owners.iter().map(|owner| (owner.payment.id, owner.fence)).collect();
    assert_eq!(owners.len(), 1, "the owners are {fences:?}, the others found {others:?}");
    (owners.remove(0), others)
}

/// An error with all its causes.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
