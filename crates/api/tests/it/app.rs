//! The service as its clients meet it: a listener of its own, on a database of its own.

use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use payonce_adapters::gateway::Ledger;
use payonce_api::http::Readiness;
use payonce_api::server;
use payonce_api::settings::{Layers, Settings};
use payonce_api::wiring::{Service, Store};
use payonce_domain::ports::PaymentGateway;
use payonce_domain::use_cases::Waiters;
use payonce_testing::{Held, TestDatabase};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::answer::Answer;
use crate::sealed_log;
use crate::wire::Wire;

/// The contract's own example of a body.
pub const BODY: &str = r#"{"amount": 100.00}"#;

/// Derives the gateway's keys in every test.
pub const KEY_SECRET: &str = "canary-of-the-gateway-keys-in-tests";

/// A gateway that answers at once; nobody is refused because the machine is busy.
const DEFAULTS: [(&str, &str); 10] = [
    ("PAYONCE__GATEWAY__KEY_SECRET", KEY_SECRET),
    ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MIN", "0ms"),
    ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MAX", "1ms"),
    ("PAYONCE__GATEWAY__BACKOFF_BASE", "1ms"),
    ("PAYONCE__GATEWAY__BACKOFF_MAX", "2ms"),
    ("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "10s"),
    ("PAYONCE__DATABASE__POOL_SIZE", "6"),
    ("PAYONCE__DATABASE__POOL_WAIT", "30s"),
    ("PAYONCE__IDEMPOTENCY__WAIT_MAX", "1h"),
    ("PAYONCE__SERVER__DRAIN_TIMEOUT", "10s"),
];

/// The variables of a gateway whose every call takes so long.
#[macro_export]
macro_rules! latency {
    ($latency:literal) => {
        [
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MIN", $latency),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MAX", $latency),
        ]
    };
}

/// Runs one promise against a database of its own, and stops its services before that goes.
pub async fn keep<P, F>(make: fn() -> TestDatabase, promise: P)
where
    P: FnOnce(Arc<Database>) -> F,
    F: Future<Output = ()>,
{
    sealed_log::watch();
    let database = Arc::new(Database { itself: make(), services: Mutex::default() });
    let outcome = AssertUnwindSafe(promise(Arc::clone(&database))).catch_unwind().await;
    let services =
        std::mem::take(&mut *database.services.lock().unwrap_or_else(PoisonError::into_inner));
    join_all(services.iter().map(|service| service.stop())).await;
    drop(services);
    drop(database);
    if let Err(failure) = outcome {
        resume_unwind(failure);
    }
    sealed_log::showed_no_secret();
}

/// A database and the services that were started on it.
pub struct Database {
    itself: TestDatabase,
    services: Mutex<Vec<Arc<Running>>>,
}

impl Database {
    /// Where it is.
    pub fn url(&self) -> &str {
        self.itself.url()
    }

    /// The settings by which a service reaches it.
    pub fn variables(&self) -> Vec<(&'static str, &str)> {
        self.itself.variables()
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.itself.is_postgres()
    }

    /// Runs plain SQL.
    pub fn execute(&self, statements: &str) {
        self.itself.execute(statements);
    }

    /// The one number that a query of plain SQL selects.
    pub fn number(&self, query: &str) -> i64 {
        self.itself.number(query)
    }

    /// Keeps everybody else from writing to a table, until it is dropped.
    pub fn hold(&self, table: &str) -> Held {
        self.itself.hold(table)
    }

    /// From now on that operation on a table fails.
    pub fn refuse(&self, operation: &str, table: &str) {
        self.itself.refuse(operation, table, "1 = 1");
    }

    /// It succeeds again.
    pub fn allow(&self, operation: &str, table: &str) {
        self.itself.allow(operation, table);
    }
}

/// A service that listens.
struct Running {
    stop: Arc<Notify>,
    served: tokio::sync::Mutex<Option<JoinHandle<std::io::Result<bool>>>>,
    store: Store,
}

impl Running {
    /// Lets it drain; `None` when somebody did already, or when it failed.
    async fn stop(&self) -> Option<bool> {
        self.stop.notify_one();
        let served = self.served.lock().await.take()?.await;
        self.store.upkeep.close();
        served.ok()?.ok()
    }
}

/// A service under test; every clone is the same one.
#[derive(Clone)]
pub struct TestApp {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its gateway.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Its gateway's books: the referee.
    pub ledger: Arc<Ledger>,
    /// Duplicates that wait in it.
    pub waiters: Arc<Waiters>,
    /// Its store.
    pub store: Store,
    client: reqwest::Client,
    running: Arc<Running>,
    key: Option<String>,
}

impl TestApp {
    /// Starts a service and waits until it is ready.
    pub async fn spawn(database: &Database, variables: &[(&str, &str)]) -> Self {
        let variables = [database.variables().as_slice(), variables].concat();
        let app = Self::with(database, settings(&variables));
        app.ready().await;
        app
    }

    /// The same, whose requests act for that account.
    pub async fn spawn_for(account: &str, database: &Database) -> Self {
        let settings = settings(&database.variables());
        let mut service = Service::new(&settings).expect("the service is built");
        service.api.account = account.parse().expect("an account");
        let app = Self::serve(database, settings, service);
        app.ready().await;
        app
    }

    /// Starts a service on a database of that address.
    pub fn start(database: &Database, url: &str, variables: &[(&str, &str)]) -> Self {
        Self::with(database, settings(&[&[("DATABASE_URL", url)], variables].concat()))
    }

    fn with(database: &Database, settings: Settings) -> Self {
        let service = Service::new(&settings).expect("the service is built");
        Self::serve(database, settings, service)
    }

    fn serve(database: &Database, settings: Settings, service: Service) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (ledger, store) = (Arc::clone(&service.ledger), service.store.clone());
        let waiters = Arc::clone(&service.waiters);
        let gateway = Arc::clone(&service.api.create_payment.pay.gateway);
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let served = tokio::spawn(async move {
            let stopped = async move { stopped.notified().await };
            let readiness = Readiness::default();
            // No workers: whatever happens to a payment, a request did it.
            server::serve(&settings, service, listener, readiness, None, stopped).await
        });
        let served = tokio::sync::Mutex::new(Some(served));
        let running = Arc::new(Running { stop, served, store: store.clone() });
        let mut services = database.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.push(Arc::clone(&running));
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
        let client = client.build().expect("a client");
        Self { address, gateway, ledger, waiters, store, client, running, key: None }
    }

    /// Waits until it takes requests.
    pub async fn ready(&self) {
        eventually("the service is ready", async || {
            (self.get("/readyz").await.status == 200).then_some(())
        })
        .await;
    }

    /// Begins to stop it, and does not wait.
    pub fn begin_to_stop(&self) {
        self.running.stop.notify_one();
    }

    /// Stops it; says whether all that was under way came to its end.
    pub async fn stop(&self) -> bool {
        self.running.stop().await.expect("it serves until now, and stops without an error")
    }

    /// A request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// The same service, asked with that key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// A request for a payment, without its key and body.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).header("Content-Type", "application/json")
    }

    /// A request for a payment.
    pub fn payment(&self, key: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.post("/v1/payments").header("Idempotency-Key", key).body(body)
    }

    /// Asks for a payment.
    pub async fn pay(&self, key: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::to(self.payment(key, body)).await
    }

    /// Posts a body in whatever format the path has.
    pub async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::to(self.post(path).body(body)).await
    }

    /// Asks for a payment in a task of its own.
    pub fn paying(&self, key: &str, body: impl Into<reqwest::Body>) -> JoinHandle<Answer> {
        tokio::spawn(Answer::to(self.payment(key, body)))
    }

    /// Asks for a payment and goes on once it is under way.
    pub async fn begin_to_pay(&self, key: &str, body: &'static str) -> JoinHandle<Answer> {
        let paying = self.paying(key, body);
        self.until_key_is(key, "in_progress").await;
        paying
    }

    /// Reads a path.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// A connection on which anything may be said.
    pub async fn connect(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// Every payment, newest first.
    pub async fn payments(&self) -> Vec<Value> {
        let page = self.get("/v1/payments?limit=100").await.is(200).json();
        assert_eq!(page["next_cursor"], Value::Null, "one page holds all payments of a test");
        page["data"].as_array().expect("a list").clone()
    }

    /// What is known of a key, or `None`.
    pub async fn key(&self, key: &str) -> Option<Value> {
        let answer = self.get(&format!("/v1/idempotency-keys/{key}")).await;
        if answer.status == 404 {
            answer.is_problem(404, "idempotency_key_not_found");
            return None;
        }
        Some(answer.is(200).json())
    }

    /// Waits until a key has come to that state.
    pub async fn until_key_is(&self, key: &str, state: &str) -> Value {
        eventually(&format!("key {key} is {state}"), async || {
            self.key(key).await.filter(|known| known["state"] == state)
        })
        .await
    }

    /// The names of a payment's events, each with who acted, oldest first.
    pub async fn events(&self, payment: &str) -> Vec<String> {
        let timeline = self.get(&format!("/v1/payments/{payment}/events")).await.is(200).json();
        let events = timeline["data"].as_array().expect("a list").clone();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        events.iter().map(|it| format!("{} by {}", text(&it["event"]), text(&it["by"]))).collect()
    }

    /// How many charges are live at its gateway.
    pub fn charges(&self) -> usize {
        self.ledger.live_charges()
    }

    /// Nothing was executed: no payment, and no charge.
    pub async fn has_done_nothing(&self) {
        assert_eq!(self.payments().await, Vec::<Value>::new());
        assert_eq!(self.charges(), 0);
    }

    /// One payment and one charge, whatever was asked how often.
    pub async fn has_paid_once(&self) -> Value {
        let mut payments = self.payments().await;
        assert_eq!(payments.len(), 1, "{payments:#?}");
        assert_eq!(self.charges(), 1);
        payments.remove(0)
    }
}

/// The settings of a service under test.
pub fn settings(variables: &[(&str, &str)]) -> Settings {
    let all = DEFAULTS.iter().chain(variables);
    let all = all.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let settings = Layers::merge(&[], &all).and_then(|layers| layers.settings());
    settings.expect("the settings of a test are right")
}

/// Looks again and again, for a bounded time, until there is something.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within 15 seconds: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
