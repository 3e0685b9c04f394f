//! A database with a referee, and processes of the real binary on it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use payonce_api::settings::Layers;
use payonce_api::wiring::{Store, choose_cryptography};
use payonce_testing::TestDatabase;
use payonce_testing::metrics::Shown;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Notes every write after which a transaction is processed.
const POSTGRES_REFEREE: &str = "CREATE TABLE processings (transaction_id text NOT NULL);
    CREATE FUNCTION note_processing() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO processings VALUES (NEW.transaction_id); RETURN NULL; END $$;
    CREATE TRIGGER note_processing AFTER UPDATE ON transactions
        FOR EACH ROW WHEN (NEW.state = 'processed') EXECUTE FUNCTION note_processing()";
const SQLITE_REFEREE: &str = "CREATE TABLE processings (transaction_id text NOT NULL);
    CREATE TRIGGER note_processing AFTER UPDATE ON transactions WHEN NEW.state = 'processed'
        BEGIN INSERT INTO processings VALUES (NEW.transaction_id); END";

/// A database whose referee watches.
pub struct Scene {
    pub database: TestDatabase,
}

impl Scene {
    /// Migrates the database and puts the referee in.
    pub fn set(database: TestDatabase) -> Self {
        choose_cryptography();
        let scene = Self { database };
        let migrated = scene.run(&["migrate", "up"]);
        assert!(migrated.status.success(), "{migrated:?}");
        let is_postgres = scene.database.is_postgres();
        scene.database.execute(if is_postgres { POSTGRES_REFEREE } else { SQLITE_REFEREE });
        scene
    }

    /// The store, as this process sees it.
    pub fn store(&self) -> Store {
        let variables = [("DATABASE_URL".to_owned(), self.database.url().to_owned())];
        let layers = Layers::merge(&[], &variables.into_iter().collect()).expect("well formed");
        Store::new(&layers.settings().expect("valid").database).expect("the store is prepared")
    }

    /// The binary on this database.
    pub fn binary(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_payonce"));
        command
            .env("DATABASE_URL", self.database.url())
            .env("PORT", "0")
            .env("PAYONCE__LOG__FORMAT", "json")
            .env("PAYONCE__DATABASE__POOL_WAIT", "30s")
            .env("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "500ms")
            .env("PAYONCE__GATEWAY__DEADLINE", "1s")
            .env("PAYONCE__IDEMPOTENCY__LEASE", "1500ms")
            .env("PAYONCE__WORKERS__RECOVERY_INTERVAL", "100ms")
            .env("PAYONCE__TRANSACTIONS__PROCESSING_DELAY", "200ms");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.binary().args(arguments).output().expect("the binary runs")
    }

    /// Starts a service and waits until it is ready.
    pub async fn serve(&self) -> Instance {
        let mut child = self
            .binary()
            .arg("serve")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut lines = lines.map_while(Result::ok);
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            let is_serving = line.get("message")?.as_str()? == "serving";
            is_serving.then(|| line.get("address")?.as_str().map(str::to_owned))?
        });
        // A full pipe would stop the process.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://{}", address.expect("it says where it serves"));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let instance = Instance { child, url, client };
        eventually("the instance is ready", async || {
            let ready = instance.client.get(format!("{}/readyz", instance.url)).send().await;
            ready.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        instance
    }

    /// How many transactions are stored.
    pub fn stored(&self) -> i64 {
        self.database.number("SELECT count(*) FROM transactions")
    }

    /// How many are processed.
    pub fn processed(&self) -> i64 {
        self.database.number("SELECT count(*) FROM transactions WHERE state = 'processed'")
    }

    /// Waits until none is left, and asks the referee.
    pub async fn each_is_processed_once(&self, expected: i64) {
        eventually("each is processed", async || self.processed() == self.stored()).await;
        assert_eq!(self.processed(), expected);
        assert_eq!(self.database.number("SELECT count(*) FROM processings"), expected);
        let distinct = "SELECT count(DISTINCT transaction_id) FROM processings";
        assert_eq!(self.database.number(distinct), expected);
    }
}

/// A process that serves.
pub struct Instance {
    pub child: Child,
    url: String,
    client: reqwest::Client,
}

impl Instance {
    /// Announces a transaction; the status, or `None` when no answer came.
    pub fn announce(&self, id: &str) -> impl Future<Output = Option<u16>> + Send + use<> {
        let body = format!(
            r#"{{"transaction_id":"{id}","source_account":"a","destination_account":"b","amount":1500,"currency":"INR"}}"#
        );
        let request = self
            .client
            .post(format!("{}/v1/webhooks/transactions", self.url))
            .header("Content-Type", "application/json")
            .body(body);
        async move {
            let response = request.send().await.ok()?;
            let status = response.status().as_u16();
            response.bytes().await.ok()?;
            Some(status)
        }
    }

    /// What is shown of a transaction.
    pub async fn status(&self, id: &str) -> String {
        let shown = self.client.get(format!("{}/v1/transactions/{id}", self.url)).send().await;
        let body = shown.expect("it answers").bytes().await.expect("it is whole");
        let body: Value = serde_json::from_slice(&body).expect("it is JSON");
        body["status"].as_str().expect("it has a status").to_owned()
    }

    /// How many transactions it has processed itself, as its metrics tell.
    pub async fn processed(&self) -> f64 {
        let shown = self.client.get(format!("{}/metrics", self.url)).send().await;
        let text = shown.expect("it answers").text().await.expect("it is whole");
        Shown::parse(&text).sum("payonce_transactions_processed_total", &[("outcome", "processed")])
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

/// Waits until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(30), "never came about: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
