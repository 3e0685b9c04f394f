//! The document holds: it follows the standard, and the service follows it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use payonce_testing::TestDatabase;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::service::{Service, tools};

/// Where the settings and checks of the tools are.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs");

/// One of the tools; it talks to this machine only.
async fn tool(name: &str) -> Command {
    let folder = tools("find-schemathesis").await.pop().expect("a folder");
    let mut command = Command::new(folder.join(name));
    command.env("NO_PROXY", "*").env("PYTHONPATH", HERE).env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a tool to its end; what it says, if it found nothing wrong.
async fn find_nothing(mut command: Command, input: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the tool runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).await.expect("it reads");
    drop(stdin);
    let ended = timeout(Duration::from_secs(600), child.wait_with_output()).await;
    let output = ended.expect("it ends in time").expect("it ran");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_follows_the_standard_and_its_examples_follow_its_schemas() {
    let service = Service::start(TestDatabase::sqlite(), &[]).await;
    let document = service.json("/openapi.json").await;
    let mut validator = tool("python").await;
    validator.arg(Path::new(HERE).join("validate.py"));
    let said = find_nothing(validator, document.to_string().as_bytes()).await;
    let paths = document.get("paths").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    assert!(said.starts_with(&format!("{paths} paths, ")), "{said}");
}

/// What is listed and looked at then is of every kind. Most sends of a charge do not fail, so chance
/// alone would not make one of each.
async fn pay_until_it_ends_in_every_way(service: &Service) {
    let mut ends = BTreeSet::new();
    for number in 0..1_000 {
        ends.insert(service.pay(&format!("kind-{number}")).await);
        if [201, 402, 502].iter().all(|end| ends.contains(end)) {
            return;
        }
    }
    panic!("a thousand payments ended in these ways only: {ends:?}");
}

/// Requests that are drawn from the document, right and wrong ones; each answer must have a status,
/// type, body and headers that are documented for it.
async fn keeps_its_word(service: Service) {
    pay_until_it_ends_in_every_way(&service).await;
    let folder = TempDir::new().expect("a temporary folder");
    let mut schemathesis = tool("schemathesis").await;
    let settings = Path::new(HERE).join("schemathesis.toml");
    schemathesis.arg("--config-file").arg(settings).args(["--no-color", "run"]);
    schemathesis.arg(format!("{}/openapi.json", service.url));
    if let Some(key) = &service.key {
        schemathesis.arg("--header").arg(format!("Authorization: Bearer {key}"));
    }
    schemathesis.current_dir(folder.path()).env("SCHEMATHESIS_HOOKS", "checks");
    find_nothing(schemathesis, b"").await;

    // The examples of the document have not come to nothing.
    let order = service.json("/payments/start/ORD123").await;
    assert_eq!(order.pointer("/amount"), Some(&json!("100.00")), "{order}");
    let transaction = service.json("/v1/transactions/txn_abc123").await;
    assert_eq!(transaction.pointer("/amount"), Some(&json!(1500)), "{transaction}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_answers_as_its_document_says_on_postgres() {
    keeps_its_word(Service::start(TestDatabase::postgres(), &[]).await).await;
}

/// Here with keys, so that both documents are held against the service.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_answers_as_its_document_says_on_sqlite() {
    keeps_its_word(Service::start_asking_for_keys(TestDatabase::sqlite()).await).await;
}
