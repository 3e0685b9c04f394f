//! The service in a process of its own, and the tools that look at it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use payonce_testing::TestDatabase;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A gateway that answers at once and often badly, and always in the same order; transactions that
/// are processed at once; a limit that nobody reaches, so that answers tell of it.
const SETTINGS: [(&str, &str); 16] = [
    ("PORT", "0"),
    ("PAYONCE__LOG__FORMAT", "json"),
    ("PAYONCE__GATEWAY__SIMULATED__SEED", "1"),
    ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "0.4"),
    ("PAYONCE__GATEWAY__SIMULATED__DECLINE_RATE", "0.3"),
    ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MIN", "0ms"),
    ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MAX", "0ms"),
    ("PAYONCE__GATEWAY__BACKOFF_BASE", "1ms"),
    ("PAYONCE__GATEWAY__BACKOFF_MAX", "2ms"),
    ("PAYONCE__FAKE_GATEWAY__FAILURE_RATE", "0"),
    ("PAYONCE__FAKE_GATEWAY__LATENCY_MIN", "0ms"),
    ("PAYONCE__FAKE_GATEWAY__LATENCY_MAX", "1ms"),
    ("PAYONCE__TRANSACTIONS__PROCESSING_DELAY", "1ms"),
    ("PAYONCE__WORKERS__RECOVERY_INTERVAL", "20ms"),
    ("PAYONCE__RATE_LIMIT__PER_SECOND", "1000000"),
    ("PAYONCE__RATE_LIMIT__BURST", "10000000"),
];

/// A service that listens; it ends with this.
pub struct Service {
    /// Where it is.
    pub url: String,
    /// What it is asked with, where it asks for keys.
    pub key: Option<String>,
    client: reqwest::Client,
    _child: Child,
    _log: JoinHandle<()>,
    database: TestDatabase,
    folder: TempDir,
}

impl Service {
    /// Starts the real binary and waits until it takes requests.
    pub async fn start(database: TestDatabase, variables: &[(&str, &str)]) -> Self {
        // The client asks for it, though it speaks no TLS here.
        payonce_adapters::tls::choose_cryptography();
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_payonce"));
        let is_setting = |name: &str| name.starts_with("PAYONCE");
        for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
            command.env_remove(name);
        }
        command.arg("serve").current_dir(folder.path()).env("DATABASE_URL", database.url());
        command.envs(SETTINGS).envs(variables.iter().copied()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let serving = logged(&mut log, "serving").await;
        logged(&mut log, "ready").await;
        let address = serving.get("address").and_then(Value::as_str).expect("it says where");
        let read_on = async move { while let Ok(Some(_)) = log.next_line().await {} };
        Self {
            url: format!("http://{address}"),
            key: None,
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            _child: child,
            _log: tokio::spawn(read_on),
            database,
            folder,
        }
    }

    /// The same, which asks for keys, and one for it.
    pub async fn start_asking_for_keys(database: TestDatabase) -> Self {
        let mut service = Self::start(database, &[("PAYONCE__AUTH__MODE", "api_key")]).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_payonce"));
        command.args(["keys", "create", "--mode", "live"]).current_dir(service.folder.path());
        let made = command.env("DATABASE_URL", service.database.url()).output().await;
        let made = made.expect("the binary runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let key = String::from_utf8(made.stdout).expect("UTF-8");
        service.key = Some(key.trim_end().to_owned());
        service
    }

    /// The JSON at that path.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.sent(self.client.get(format!("{}{path}", self.url))).await;
        answer.error_for_status().expect("it is there").json().await.expect("it is JSON")
    }

    /// Pays under that idempotency key; the status of the answer.
    pub async fn pay(&self, key: &str) -> u16 {
        let request = self.client.post(format!("{}/v1/payments", self.url));
        let request = request.header("Idempotency-Key", key);
        let request = request.header("Content-Type", "application/json");
        self.sent(request.body(r#"{"amount":"10.00","currency":"EUR"}"#)).await.status().as_u16()
    }

    async fn sent(&self, mut request: RequestBuilder) -> Response {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        request.send().await.expect("it answers")
    }
}

async fn logged(log: &mut Lines<BufReader<ChildStderr>>, message: &str) -> Value {
    loop {
        let line = timeout(Duration::from_secs(60), log.next_line()).await.expect("it logs");
        let line = line.expect("UTF-8").unwrap_or_else(|| panic!("it ended before {message}"));
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        if line.get("message").is_some_and(|logged| logged == message) {
            return line;
        }
    }
}

/// The paths that one of the repository's scripts prints, once it has installed what is missing.
pub async fn tools(script: &str) -> Vec<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").join(script);
    let output = Command::new(&script).stdin(Stdio::null()).output();
    let output = output.await.expect("the script runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    assert!(output.status.success(), "{}", text(output.stderr));
    text(output.stdout).lines().map(PathBuf::from).collect()
}
