//! Two processes of the real binary on one database, and what becomes of a payment when one of
//! them is killed or paused. The gateway, and its books, live in this process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use payonce_api::wiring::Store;
use payonce_domain::payment::PaymentStatus;
use payonce_domain::ports::PaymentFilter;
use payonce_testing::TestDatabase;
use payonce_testing::metrics::Shown;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::services::{Answer, Running, eventually, send, settings};

/// Longer than the gateway takes, shorter than anybody waits.
const LEASE: Duration = Duration::from_millis(2_400);

/// One process.
pub struct Instance {
    child: Child,
    pub address: SocketAddr,
    client: reqwest::Client,
}

impl Instance {
    fn start(database: &TestDatabase, gateway: SocketAddr, more: &[(&str, &str)]) -> Self {
        let mut child = binary(database, gateway)
            .arg("serve")
            .envs(more.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut lines = lines.map_while(Result::ok);
        let address = lines
            .find_map(|line| {
                let line: Value = serde_json::from_str(&line).ok()?;
                let is_serving = line.get("message")?.as_str()? == "serving";
                is_serving.then(|| line.get("address")?.as_str()?.parse().ok())?
            })
            .expect("it says where it serves");
        // A full pipe would stop the process.
        std::thread::spawn(move || lines.for_each(drop));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { child, address, client }
    }

    /// Starts it and waits until it is ready.
    pub async fn started(
        database: &TestDatabase,
        gateway: SocketAddr,
        more: &[(&str, &str)],
    ) -> Self {
        let instance = Self::start(database, gateway, more);
        let ready = format!("http://{}/readyz", instance.address);
        let is_ready = async || send(instance.client.get(&ready)).await.status == 200;
        eventually("the instance is ready", is_ready).await;
        instance
    }

    /// Asks to be answered at once and paid later.
    pub async fn accept(&self, key: &str) -> Answer {
        let request = self
            .client
            .post(format!("http://{}/payments", self.address))
            .header("Idempotency-Key", key)
            .header("Prefer", "respond-async")
            .header("Content-Type", "application/json")
            .body(r#"{"amount":100}"#);
        send(request).await
    }

    /// The state of the payment at that path.
    pub async fn status(&self, location: &str) -> String {
        let payment = send(self.client.get(format!("http://{}{location}", self.address))).await;
        payment.json()["status"].as_str().expect("it has a status").to_owned()
    }

    /// The timeline of the payment at that path.
    pub async fn events(&self, location: &str) -> String {
        let url = format!("http://{}{location}/events", self.address);
        String::from_utf8(send(self.client.get(url)).await.body).expect("it is text")
    }

    /// A request for a payment.
    pub fn payment(&self, key: &str) -> reqwest::RequestBuilder {
        self.client
            .post(format!("http://{}/payments", self.address))
            .header("Idempotency-Key", key)
            .header("Prefer", "wait=15")
            .header("Content-Type", "application/json")
            .body(r#"{"amount":100}"#)
    }

    /// Asks for 100 dollars under that key, and waits long for a duplicate's answer.
    pub fn pay(&self, key: &str) -> impl Future<Output = Result<Answer, reqwest::Error>> + use<> {
        let request = self.payment(key);
        async move {
            let response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
        }
    }

    /// The sum of a metric that it shows.
    async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let answer = send(self.client.get(format!("http://{}/metrics", self.address))).await;
        Shown::parse(&String::from_utf8(answer.body).expect("it is text")).sum(name, labels)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; its exit code.
    pub async fn ends(&mut self) -> Option<i32> {
        let mut status = None;
        let is_over = async || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        };
        eventually("the process has ended", is_over).await;
        status.and_then(|status| status.code())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("it has a pid"), signal).expect("it lives");
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It may have been killed by its test.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The binary, told where its database and its gateway are.
pub fn binary(database: &TestDatabase, gateway: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payonce"));
    command
        .envs(database.variables())
        .env("PORT", "0")
        .env("PAYONCE__LOG__FORMAT", "json")
        .env("PAYONCE__GATEWAY__KIND", "http")
        .env("PAYONCE__GATEWAY__HTTP__BASE_URL", format!("http://{gateway}/fake-gateway"))
        .env("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "1500ms")
        .env("PAYONCE__GATEWAY__DEADLINE", "2s")
        .env("PAYONCE__IDEMPOTENCY__LEASE", format!("{}ms", LEASE.as_millis()))
        .env("PAYONCE__WORKERS__RECOVERY_INTERVAL", "300ms");
    command
}

struct Scene {
    gateway: Running,
    store: Store,
    one: Instance,
    other: Instance,
    _databases: (TestDatabase, TestDatabase),
}

impl Scene {
    /// Two instances, and a gateway that takes long enough to be caught at it.
    async fn set(shared: TestDatabase) -> Self {
        let own = TestDatabase::sqlite();
        let slow = [
            ("PAYONCE__FAKE_GATEWAY__LATENCY_MIN", "700ms"),
            ("PAYONCE__FAKE_GATEWAY__LATENCY_MAX", "800ms"),
        ];
        let gateway = Running::gateway(&own, &slow).await;
        // One without recovery: where its process is paused, no transaction of a worker is.
        let idle = [("PAYONCE__WORKERS__RECOVERY_INTERVAL", "1h")];
        let one = Instance::started(&shared, gateway.address, &idle).await;
        let other = Instance::started(&shared, gateway.address, &[]).await;
        let database = settings(&shared, &[]).database;
        let store = Store::new(&database).expect("the store is prepared");
        Self { gateway, store, one, other, _databases: (own, shared) }
    }

    /// The states of all payments.
    async fn payments(&self) -> Vec<PaymentStatus> {
        let account = "default".parse().expect("valid");
        let all = self.store.queries.list(&account, &PaymentFilter::default(), None, 100).await;
        all.expect("the store answers").payments.iter().map(|payment| payment.status()).collect()
    }

    async fn begun(&self) {
        eventually("a payment has begun", async || !self.payments().await.is_empty()).await;
    }

    async fn end(self) {
        assert_eq!(self.gateway.live_charges().await, 1);
        assert_eq!(self.payments().await, [PaymentStatus::Completed]);
        self.store.upkeep.close();
        drop((self.one, self.other));
        assert!(self.gateway.stop().await);
    }
}

pub async fn a_duplicate_at_another_instance_waits_and_gets_the_same_bytes(database: TestDatabase) {
    let scene = Scene::set(database).await;
    let first = tokio::spawn(scene.one.pay("k"));
    scene.begun().await;
    let second = scene.other.pay("k").await.expect("an answer");
    let first = first.await.expect("it ends").expect("an answer");
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.header("idempotent-replayed"), "false");
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(first.body, second.body);
    scene.end().await;
}

pub async fn a_killed_instances_payment_is_answered_by_another_with_one_charge(
    database: TestDatabase,
) {
    let mut scene = Scene::set(database).await;
    let lost = tokio::spawn(scene.one.pay("k"));
    scene.begun().await;
    scene.one.child.kill().expect("it lives");
    assert!(lost.await.expect("it ends").is_err());
    let answer = scene.other.pay("k").await.expect("an answer");
    assert_eq!(answer.status, 201);
    let again = scene.other.pay("k").await.expect("an answer");
    assert_eq!((again.status, &again.body), (201, &answer.body));
    scene.end().await;
}

pub async fn a_killed_instances_payment_is_finished_although_nobody_asks_again(
    database: TestDatabase,
) {
    let mut scene = Scene::set(database).await;
    let lost = tokio::spawn(scene.one.pay("k"));
    scene.begun().await;
    scene.one.child.kill().expect("it lives");
    assert!(lost.await.expect("it ends").is_err());
    let is_final = async || scene.payments().await == [PaymentStatus::Completed];
    eventually("recovery has finished it", is_final).await;
    scene.end().await;
}

pub async fn an_instance_paused_for_twice_its_lease_changes_nothing(database: TestDatabase) {
    let scene = Scene::set(database).await;
    let paused = tokio::spawn(scene.one.pay("k"));
    scene.begun().await;
    scene.one.signal(Signal::STOP);
    let since = Instant::now();
    let meanwhile = scene.other.pay("k").await.expect("an answer");
    assert_eq!(meanwhile.status, 201);
    // The pause is the fault, and has its length.
    tokio::time::sleep((LEASE * 2).saturating_sub(since.elapsed())).await;
    scene.one.signal(Signal::CONT);
    let late = paused.await.expect("it ends").expect("an answer");
    assert_eq!((late.status, &late.body), (201, &meanwhile.body));
    assert_eq!(late.header("idempotent-replayed"), "true", "its own settle came too late");
    assert_eq!(scene.one.metric("payonce_fenced_writes_total", &[]).await, 1.0);
    assert_eq!(scene.other.metric("payonce_fenced_writes_total", &[]).await, 0.0);
    assert_eq!(scene.other.metric("payonce_lease_take_overs_total", &[]).await, 1.0);
    scene.end().await;
}
