//! The command line, with the real binary.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use payonce_testing::shows_no_secret;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::answer::Answer;
use crate::app::{BODY, Database, KEY_SECRET, TestApp};
use crate::latency;
use crate::wire::{self, Wire};

/// What a command said and how it ended.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// The binary, in an environment without settings.
fn payonce(variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payonce"));
    let is_setting = |name: &str| {
        name.starts_with("PAYONCE") || ["DATABASE_URL", "REDIS_URL", "PORT"].contains(&name)
    };
    for (name, _) in std::env::vars().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command.env("PAYONCE__GATEWAY__KEY_SECRET", KEY_SECRET);
    command.envs(variables.iter().copied()).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub async fn run(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let folder = TempDir::new().expect("a temporary folder");
    let output = payonce(variables, arguments).current_dir(folder.path()).output();
    let output = timeout(Duration::from_secs(30), output).await.expect("the command ends");
    let output = output.expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, err) = (text(output.stdout), text(output.stderr));
    shows_no_secret("what a command complains of", &err);
    // A key is shown once, to whoever made it.
    if !arguments.starts_with(&["keys", "create"]) {
        shows_no_secret("what a command prints", &out);
    }
    Ended { code: output.status.code(), out, err }
}

/// A service in a process of its own.
pub struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    pub url: String,
    pub lines: Vec<String>,
}

impl Process {
    pub async fn serve(database: &Database, variables: &[(&str, &str)]) -> Self {
        let variables = [database.variables().as_slice(), &[("PORT", "0")], variables].concat();
        let mut child = payonce(&variables, &["serve"]).spawn().expect("the binary runs");
        let log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut process = Self { child, log, url: String::new(), lines: Vec::new() };
        let serving = process.logs("serving").await;
        process.url = format!("http://{}", serving["address"].as_str().expect("an address"));
        process.logs("ready").await;
        process
    }

    /// Waits for a line of the log.
    async fn logs(&mut self, message: &str) -> Value {
        loop {
            let line = timeout(Duration::from_secs(30), self.log.next_line()).await;
            let line = line.expect("it logs").expect("UTF-8");
            let line = line.unwrap_or_else(|| panic!("it ended: {:?}", self.lines));
            self.note(line.clone());
            let line: Value = serde_json::from_str(&line).expect("a line of JSON");
            if line["message"] == message {
                return line;
            }
        }
    }

    fn note(&mut self, line: String) {
        shows_no_secret("the log", &line);
        self.lines.push(line);
    }

    pub fn pay(&self, key: &str, body: &'static str) -> reqwest::RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.post(format!("{}/v1/payments", self.url));
        request.header("Idempotency-Key", key).header("Content-Type", "application/json").body(body)
    }

    pub fn send(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(id.expect("it runs"), signal).expect("it is ours");
    }

    /// The lines with that message, of those that were read.
    fn logged(&self, message: &str) -> Vec<Value> {
        let lines = self.lines.iter().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(|line: &Value| line["message"] == message).collect()
    }

    /// Waits for its end, and reads the log to the last line.
    pub async fn ends(&mut self) -> ExitStatus {
        while let Ok(Some(line)) = self.log.next_line().await {
            self.note(line);
        }
        timeout(Duration::from_secs(30), self.child.wait())
            .await
            .expect("it ends")
            .expect("a status")
    }
}

pub async fn a_service_drains_and_exits_at_sigterm(database: Arc<Database>) {
    for (signal, key) in [(Signal::TERM, "terminated"), (Signal::INT, "interrupted")] {
        let [min, max] = latency!("1500ms");
        let mut service = Process::serve(&database, &[min, max]).await;
        let paying = tokio::spawn(Answer::to(service.pay(key, BODY)));
        let reader = TestApp::spawn(&database, &[]).await;
        reader.until_key_is(key, "in_progress").await;
        service.send(signal);
        service.logs("draining").await;
        assert!(!paying.is_finished(), "the payment was to be under way still");
        let paid = paying.await.expect("it is answered");
        paid.is_first();
        assert_eq!(service.ends().await.code(), Some(0), "{:?}", service.lines);
        assert_eq!(reader.pay(key, BODY).await.is_repeat().text(), paid.text());
    }
}

pub async fn a_killed_service_is_replaced_by_another(database: Arc<Database>) {
    let [min, max] = latency!("1h");
    let variables = [
        min,
        max,
        ("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "1s"),
        ("PAYONCE__GATEWAY__DEADLINE", "1s"),
        ("PAYONCE__IDEMPOTENCY__LEASE", "1200ms"),
    ];
    let heir = TestApp::spawn(&database, &[]).await;
    let mut killed = Process::serve(&database, &variables).await;
    let request = killed.pay("k", BODY);
    let paying = tokio::spawn(async move { request.send().await.is_err() });
    let known = heir.until_key_is("k", "in_progress").await;
    killed.send(Signal::KILL);
    assert_eq!(killed.ends().await.code(), None);
    assert!(paying.await.expect("it ends"), "its client is told nothing");

    let paid = Answer::to(heir.payment("k", BODY).header("Prefer", "wait=3600")).await;
    paid.is(201);
    assert_eq!(known["payment_id"], paid.id());
    assert_eq!(heir.has_paid_once().await, paid.json());
    let events = heir.events(&paid.id()).await;
    assert!(events.iter().any(|event| event.starts_with("taken_over by ")), "{events:?}");
}

pub async fn logs_hold_no_keys_and_nothing_of_a_body(database: Arc<Database>) {
    let mut service = Process::serve(&database, &[("PAYONCE__LOG__LEVEL", "debug")]).await;
    let body = r#"{"amount":47110815,"payment_method":"secret-1","reference":"secret-2",
        "description":"secret-3","metadata":{"secret-4":"secret-5"}}"#;
    let pay = |body| service.pay("secret-6", body).header("X-Request-Id", "the-request");
    Answer::to(pay(body)).await.is_first();
    Answer::to(pay(body)).await.is_repeat();
    Answer::to(pay(r#"{"amount":1}"#)).await.is(422);
    Answer::to(pay(r#"{"amount":"secret-7","secret-8":1}"#)).await.is(400);
    Answer::to(service.pay("secret 9", BODY)).await.is(400);
    service.send(Signal::TERM);
    assert_eq!(service.ends().await.code(), Some(0));
    let log = service.lines.join("\n");
    assert!(!log.contains("secret-") && !log.contains("secret 9"), "{log}");
    assert!(!log.contains("47110815") && !log.contains(KEY_SECRET), "{log}");

    let lines = service.lines.iter().map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    for line in &lines {
        for member in ["time", "level", "message"] {
            assert!(line[member].is_string(), "{line}");
        }
    }
    let of = |message: &str| lines.iter().filter(|line| line["message"] == message).count();
    assert_eq!(of("Payment processed"), 1, "{log}");
    assert_eq!(of("request"), 5, "{log}");
    let first = lines.iter().find(|line| line["message"] == "request").expect("a line");
    assert_eq!(first["request_id"], "the-request");
    assert_eq!(first["route"], "/v1/payments");
    assert_eq!(first["status"], 201);
    assert_eq!(first["replayed"], false);
    assert!(first["account"].is_string() && first["latency_ms"].is_number(), "{first}");
}

pub async fn a_payment_is_said_to_be_processed_once_whoever_ends_it(database: Arc<Database>) {
    let declines = ("PAYONCE__GATEWAY__SIMULATED__DECLINE_RATE", "1");
    let mut declining = Process::serve(&database, &[declines]).await;
    Answer::to(declining.pay("declined", BODY)).await.is(402);
    declining.send(Signal::TERM);
    assert_eq!(declining.ends().await.code(), Some(0));
    assert_eq!(declining.logged("Payment processed"), Vec::<Value>::new());

    let [min, max] = latency!("500ms");
    let mut service = Process::serve(&database, &[min, max]).await;
    let reader = TestApp::spawn(&database, &[]).await;
    let address = service.url.trim_start_matches("http://").parse().expect("an address");
    let mut wire = Wire::connect(address).await;
    wire.send(wire::payment(&["Idempotency-Key: gone", "X-Request-Id: gone"], BODY)).await;
    reader.until_key_is("gone", "in_progress").await;
    wire.reset();
    let accepted = service.pay("later", BODY).header("Prefer", "respond-async");
    let accepted = Answer::to(accepted.header("X-Request-Id", "later")).await;
    accepted.is(202);
    for key in ["gone", "later"] {
        reader.until_key_is(key, "completed").await;
        Answer::to(service.pay(key, BODY)).await.is_repeat();
    }
    service.send(Signal::TERM);
    assert_eq!(service.ends().await.code(), Some(0));
    let processed = service.logged("Payment processed");
    let mut requests: Vec<_> = processed.iter().map(|line| &line["request_id"]).collect();
    requests.sort_by_key(|id| id.to_string());
    assert_eq!(requests, ["gone", "later"]);
    for line in &processed {
        assert_eq!((&line["level"], &line["account"]), (&"INFO".into(), &"default".into()));
    }
    let later = processed.iter().find(|line| line["request_id"] == "later").expect("a line");
    assert_eq!(later["payment"], accepted.id());

    let lines = service.logged("request");
    let gone = lines.iter().find(|line| line["request_id"] == "gone").expect("a line");
    assert_eq!((&gone["client_gone"], &gone["status"]), (&true.into(), &Value::Null));
    assert_eq!((&gone["route"], &gone["method"]), (&"/v1/payments".into(), &"POST".into()));
}

pub async fn migrations_run_up_and_down(database: Arc<Database>) {
    let url = [("DATABASE_URL", database.url())];
    let migrate = async |action| {
        let ended = run(&url, &["migrate", action]).await;
        assert_eq!(ended.code, Some(0), "{action}: {}", ended.err);
        ended.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all_are = |lines: &[String], mark: &str| {
        !lines.is_empty() && lines.iter().all(|line| line.starts_with(mark))
    };
    let before = migrate("status").await;
    assert!(all_are(&before, "pending"), "{before:?}");
    let applied = migrate("up").await;
    assert!(all_are(&applied, "applied"), "{applied:?}");
    assert_eq!(applied.len(), before.len());
    assert_eq!(migrate("up").await, ["nothing is pending"]);
    let after = migrate("status").await;
    assert!(all_are(&after, "applied"), "{after:?}");
    for _ in 0..applied.len() {
        let reverted = migrate("down").await;
        assert!(all_are(&reverted, "reverted"), "{reverted:?}");
    }
    assert_eq!(migrate("down").await, ["nothing is applied"]);
    assert_eq!(migrate("status").await, before);

    migrate("up").await;
    let variables = [("PAYONCE__DATABASE__MIGRATE_ON_START", "false")];
    let app = TestApp::spawn(&database, &variables).await;
    app.pay("k", BODY).await.is_first();
}

pub async fn a_database_out_of_reach_is_named_without_its_password(database: Arc<Database>) {
    let hidden = crate::hidden::Hidden::new(&database);
    let url = hidden.url().replace("postgres://postgres@", "postgres://postgres:hush@");
    let ended = run(&[("DATABASE_URL", &url)], &["migrate", "status"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("migrating ") && !ended.err.contains("hush"), "{}", ended.err);
}

#[tokio::test]
async fn a_valid_configuration_is_said_to_be_so() {
    let ended = run(&[], &["config", "check"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out, "the configuration is valid\n");
}

#[tokio::test]
async fn a_wrong_setting_is_named_in_one_line() {
    for arguments in [&["config", "check"][..], &["serve"], &["migrate", "status"]] {
        for (variable, value, named) in [
            ("PAYONCE__SERVER__PROT", "1", "prot"),
            ("PAYONCE__SERVER__PORT", "many", "server.port"),
            ("PAYONCE__IDEMPOTENCY__LEASE", "1s", "idempotency.lease"),
            ("PAYONCE__GATEWAY__KEY_SECRET", "short", "gateway.key_secret"),
            ("DATABASE_URL", "mysql://u:hush@h/d", "database.url"),
        ] {
            let ended = run(&[(variable, value)], arguments).await;
            assert_eq!(ended.code, Some(2), "{variable}: {}", ended.err);
            assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
            assert!(ended.err.contains(named) && !ended.err.contains("hush"), "{}", ended.err);
            assert_eq!(ended.out, "");
        }
    }
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let url = "postgres://user:hush@localhost/db?sslpassword=hush";
    let secret = "hush-hush-hush-hush";
    let variables = [("DATABASE_URL", url), ("PAYONCE__GATEWAY__KEY_SECRET", secret)];
    let ended = run(&variables, &["config", "show"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!ended.out.contains("hush") && !ended.err.contains("hush"), "{}", ended.out);
    for shown in ["gateway.key_secret = ***", "DATABASE_URL", "server.port = 8000  # defaults"] {
        assert!(ended.out.contains(shown), "{shown}: {}", ended.out);
    }
}

#[tokio::test]
async fn a_file_is_read_and_a_missing_one_is_named() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file, b"[server]\nport = 4711\n").expect("it is written");
    let path = file.path().to_str().expect("UTF-8");
    for arguments in [["config", "show", "--config", path], ["--config", path, "config", "show"]] {
        let ended = run(&[], &arguments).await;
        assert!(ended.out.contains("server.port = 4711"), "{} {}", ended.out, ended.err);
    }
    let ended = run(&[("PAYONCE_CONFIG", "nowhere.toml")], &["config", "check"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("nowhere.toml"), "{}", ended.err);
}

#[tokio::test]
async fn wrong_usage_is_told_apart() {
    for arguments in [
        &[][..],
        &["fly"],
        &["serve", "now"],
        &["migrate"],
        &["migrate", "sideways"],
        &["config"],
        &["--verbose"],
    ] {
        let ended = run(&[], arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains("Usage"), "{arguments:?}: {}", ended.err);
    }
    for arguments in [["--help"], ["--version"]] {
        let ended = run(&[], &arguments).await;
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let ended = run(&[("PORT", &port)], &["serve"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("server.port") && ended.err.contains(&port), "{}", ended.err);
}
