//! Services in this process, each on a database of its own, and what a promise runs on.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use payonce_api::http::Readiness;
use payonce_api::server;
use payonce_api::settings::{Layers, Settings};
use payonce_api::wiring::{Service, Store};
use payonce_api::workers::Workers;
use payonce_domain::gateway::GatewayKey;
use payonce_domain::payment::{Payment, PaymentId};
use payonce_domain::ports::{ChargeLedger, LedgerEntry, PaymentFilter};
use payonce_testing::{TestDatabase, shows_no_secret};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A gateway that answers at once and leaves nothing to chance.
const GATEWAY: [(&str, &str); 3] = [
    ("PAYONCE__FAKE_GATEWAY__FAILURE_RATE", "0"),
    ("PAYONCE__FAKE_GATEWAY__LATENCY_MIN", "0ms"),
    ("PAYONCE__FAKE_GATEWAY__LATENCY_MAX", "2ms"),
];

/// A payer that is quick to give up an attempt.
const PAYER: [(&str, &str); 5] = [
    ("PAYONCE__GATEWAY__KIND", "http"),
    ("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "400ms"),
    ("PAYONCE__GATEWAY__HTTP__CONNECT_TIMEOUT", "300ms"),
    ("PAYONCE__GATEWAY__BACKOFF_BASE", "5ms"),
    ("PAYONCE__GATEWAY__BACKOFF_MAX", "20ms"),
];

/// A worker that looks often.
const RECOVERY: (&str, &str) = ("PAYONCE__WORKERS__RECOVERY_INTERVAL", "100ms");

/// Runs one promise with a database of its own for the service that pays.
pub async fn keep<P, F>(make: fn() -> TestDatabase, promise: P)
where
    P: FnOnce(TestDatabase) -> F,
    F: Future<Output = ()>,
{
    promise(make()).await;
}

/// A service that listens.
pub struct Running {
    pub address: SocketAddr,
    pub store: Store,
    client: reqwest::Client,
    stop: Arc<Notify>,
    served: JoinHandle<std::io::Result<bool>>,
}

/// What a service works on.
#[derive(Clone, Copy)]
enum Work {
    OnRequests,
    AndRecovery,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().expect("it is text")
    }
}

impl Running {
    /// A service that is a gateway.
    pub async fn gateway(database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        let anywhere = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        Self::gateway_at(anywhere, database, variables).await
    }

    /// A service that is a gateway, behind a socket that is there already.
    pub async fn gateway_at(
        listener: TcpListener,
        database: &TestDatabase,
        variables: &[(&str, &str)],
    ) -> Self {
        let variables = [GATEWAY.as_slice(), variables].concat();
        Self::start(listener, database, &variables, Work::OnRequests).await
    }

    /// A service that pays at the gateway of that address, and has no workers: what a request does
    /// not bring to its end stays as it is.
    pub async fn payer(
        database: &TestDatabase,
        gateway: SocketAddr,
        variables: &[(&str, &str)],
    ) -> Self {
        Self::payer_at_work(database, gateway, variables, Work::OnRequests).await
    }

    /// The same, whose recovery goes on with what requests leave behind.
    pub async fn recovering_payer(
        database: &TestDatabase,
        gateway: SocketAddr,
        variables: &[(&str, &str)],
    ) -> Self {
        let variables = [[RECOVERY].as_slice(), variables].concat();
        Self::payer_at_work(database, gateway, &variables, Work::AndRecovery).await
    }

    async fn payer_at_work(
        database: &TestDatabase,
        gateway: SocketAddr,
        variables: &[(&str, &str)],
        work: Work,
    ) -> Self {
        let base_url = format!("http://{gateway}/fake-gateway");
        let base_url = [("PAYONCE__GATEWAY__HTTP__BASE_URL", base_url.as_str())];
        let variables = [PAYER.as_slice(), &base_url, variables].concat();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        Self::start(listener, database, &variables, work).await
    }

    async fn start(
        listener: TcpListener,
        database: &TestDatabase,
        variables: &[(&str, &str)],
        work: Work,
    ) -> Self {
        let settings = settings(database, variables);
        let service = Service::new(&settings).expect("the service is built");
        let address = listener.local_addr().expect("it is bound");
        let store = service.store.clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let readiness = Readiness::default();
        let workers = match work {
            // What a request does not bring to its end stays as it is.
            Work::OnRequests => None,
            Work::AndRecovery => Some(Workers::start(&settings, &service, &readiness)),
        };
        let served = tokio::spawn(async move {
            let stopped = async move { stopped.notified().await };
            server::serve(&settings, service, listener, readiness, workers, stopped).await
        });
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let running = Self { address, store, client, stop, served };
        eventually("the service is ready", async || running.get("/readyz").await.status == 200)
            .await;
        running
    }

    /// Stops it; says whether all that was under way came to its end.
    pub async fn stop(self) -> bool {
        self.stop.notify_one();
        self.served.await.expect("it serves until now").expect("it stops without an error")
    }

    /// A request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// A request whose answer must come.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Asks for 100 dollars under that key.
    pub async fn pay(&self, key: &str) -> Answer {
        send(self.payment_of(key, r#"{"amount":100}"#)).await
    }

    /// A request for a payment.
    pub fn payment_of(&self, key: &str, body: &'static str) -> RequestBuilder {
        let request = self.request(Method::POST, "/v1/payments");
        let request = request.header("Idempotency-Key", key);
        request.header("Content-Type", "application/json").body(body)
    }

    /// The state of the payment at that path.
    pub async fn status(&self, location: &str) -> String {
        let payment = self.get(location).await;
        payment.json()["status"].as_str().expect("it has a status").to_owned()
    }

    /// The states of all payments, newest first.
    pub async fn statuses(&self) -> Vec<String> {
        let list = self.get("/v1/payments?limit=100").await.json();
        let payments = list["data"].as_array().expect("a list");
        let statuses = payments.iter().map(|payment| payment["status"].as_str());
        statuses.map(|status| status.expect("it has a status").to_owned()).collect()
    }

    /// What happened to the payment at that path, oldest first, each with who did it.
    pub async fn events(&self, location: &str) -> Vec<String> {
        let timeline = self.get(&format!("{location}/events")).await.json();
        let events = timeline["data"].as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        events.map(|event| format!("{} by {}", text(&event["event"]), text(&event["by"]))).collect()
    }

    /// Posts a body in whatever format the path has.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        let request = self.request(Method::POST, path).header("Content-Type", "application/json");
        send(request.body(body.to_owned())).await
    }

    /// The only payment.
    pub async fn only_payment(&self) -> Payment {
        let account = "default".parse().expect("valid");
        let all = self.store.queries.list(&account, &PaymentFilter::default(), None, 100).await;
        let mut payments = all.expect("the store answers").payments;
        assert_eq!(payments.len(), 1, "{payments:#?}");
        payments.remove(0)
    }

    /// The names of the only payment's events, each with who acted, oldest first.
    pub async fn only_events(&self) -> Vec<String> {
        let payment = self.only_payment().await;
        let events = self.store.queries.events(&payment.record.account, payment.id).await;
        let events = events.expect("the store answers").expect("the payment is there");
        let named = events.iter().map(|stored| &stored.event);
        named.map(|it| format!("{} by {}", it.kind.as_str(), it.actor.as_str())).collect()
    }

    /// The payment that an answer is about, from the store.
    pub async fn payment(&self, answer: &Answer) -> Payment {
        let body = answer.json();
        let id = body.get("payment_id").or(body.get("id")).and_then(Value::as_str);
        let id = PaymentId(id.and_then(|id| id.parse().ok()).expect("the body names it"));
        let account = "default".parse().expect("valid");
        let found = self.store.queries.find(&account, id).await;
        found.expect("the store answers").expect("the payment is there")
    }

    /// How many charges have moved money at this gateway.
    pub async fn live_charges(&self) -> u64 {
        self.books().live_charges().await.expect("the books answer")
    }

    /// What a key stands for at this gateway.
    pub async fn entry(&self, key: GatewayKey) -> Option<LedgerEntry> {
        self.books().find(key).await.expect("the books answer")
    }

    fn books(&self) -> &dyn ChargeLedger {
        &*self.store.charges
    }

    /// A charge of 100 dollars under that key.
    pub fn charge(&self, key: Uuid) -> RequestBuilder {
        self.charge_of(key, r#"{"amount":"100.00","currency":"USD","reference":"p-1"}"#)
    }

    /// A charge with that body.
    pub fn charge_of(&self, key: Uuid, body: &str) -> RequestBuilder {
        self.request(Method::POST, "/fake-gateway/charges")
            .header("Idempotency-Key", key.to_string())
            .header("Content-Type", "application/json")
            .body(body.to_owned())
    }

    /// What the gateway tells of a key.
    pub async fn look_up(&self, key: Uuid) -> Answer {
        self.get(&format!("/fake-gateway/charges/{key}")).await
    }

    /// What the gateway tells of a void.
    pub async fn void(&self, key: Uuid) -> Answer {
        send(self.request(Method::POST, &format!("/fake-gateway/charges/{key}/void"))).await
    }
}

/// The settings of a service under test.
pub fn settings(database: &TestDatabase, variables: &[(&str, &str)]) -> Settings {
    let common = [
        ("PAYONCE__SERVER__WORKERS", "2"),
        ("PAYONCE__SERVER__DRAIN_TIMEOUT", "5s"),
        ("PAYONCE__DATABASE__POOL_WAIT", "30s"),
    ];
    let database = database.variables();
    let variables = database.iter().chain(&common).chain(variables);
    let variables = variables.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Layers::merge(&[], &variables).expect("well formed").settings().expect("valid")
}

/// Sends what must be answered.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer comes");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.expect("it comes whole").to_vec();
    let answer = Answer { status, headers, body };
    let text = String::from_utf8_lossy(&answer.body);
    shows_no_secret("an answer", &format!("{:?} {text}", answer.headers));
    answer
}

/// Waits until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(20), "never came about: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
