//! Transactions that are announced by webhooks.

use std::sync::Arc;

use futures_util::future::join_all;
use payonce_domain::transaction::{Transaction, TransactionId, TransactionKey};
use payonce_testing::TestDatabase;
use reqwest::{Method, RequestBuilder};

use crate::answer::{Answer, utc};
use crate::app::{Database, TestApp, keep};
use crate::hidden::Hidden;

/// Where they are sent.
pub const PATH: &str = "/v1/webhooks/transactions";

/// The contract's own example.
pub const BODY: &str = r#"{"transaction_id":"txn_abc123","source_account":"acc_user_1","destination_account":"acc_merchant_1","amount":1500,"currency":"INR"}"#;

/// What every accepted one is answered.
const ACCEPTED: &str =
    r#"{"message":"Transaction accepted","transaction_id":"txn_abc123","status":"PROCESSING"}"#;

/// A webhook that announces a transaction.
pub fn webhook(app: &TestApp, body: impl Into<reqwest::Body>) -> RequestBuilder {
    app.post(PATH).body(body)
}

async fn send(app: &TestApp, body: impl Into<reqwest::Body>) -> Answer {
    Answer::to(webhook(app, body)).await
}

/// The name of a transaction of the account that webhooks belong to.
pub fn key(id: &str) -> TransactionKey {
    let account = "default".parse().expect("an account");
    TransactionKey { account, id: TransactionId::parse(id).expect("an id") }
}

async fn stored(app: &TestApp, id: &str) -> Option<Transaction> {
    app.store.transactions.find(&key(id)).await.expect("the store finds")
}

/// How many transactions are stored, whatever their ids.
async fn all_stored(database: &Database) -> i64 {
    database.number("SELECT count(*) FROM transactions")
}

/// An error in the form of these routes, without its words.
#[track_caller]
fn is_detail(answer: &Answer, status: u16) -> String {
    let body = answer.is(status).json();
    assert_eq!(answer.header("Content-Type"), Some("application/json"), "{answer:?}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{answer:?}");
    body["detail"].as_str().unwrap_or_else(|| panic!("no detail: {answer:?}")).to_owned()
}

/// The rules that a body breaks: place and type of each.
#[track_caller]
fn broken_rules(answer: &Answer) -> Vec<(String, String)> {
    let body = answer.is(422).json();
    let rules = body["detail"].as_array().unwrap_or_else(|| panic!("no list: {answer:?}"));
    let rule = |one: &serde_json::Value| {
        assert!(one["msg"].as_str().is_some_and(|words| !words.is_empty()), "{answer:?}");
        (one["loc"].to_string(), one["type"].as_str().unwrap_or_default().to_owned())
    };
    rules.iter().map(rule).collect()
}

pub async fn the_documented_webhook_is_answered_word_for_word(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let accepted = send(&app, BODY).await;
    assert_eq!(accepted.is(202).text(), ACCEPTED);
    assert_eq!(accepted.header("Content-Type"), Some("application/json"));
    assert!(accepted.header("X-Request-Id").is_some());

    for path in ["/v1/transactions/txn_abc123", "/v1/transactions/txn_abc123/"] {
        let shown = app.get(path).await;
        let created_at = shown.is(200).json()["created_at"].as_str().expect("a time").to_owned();
        utc(&created_at);
        let contents = BODY.trim_end_matches('}');
        let expected = format!(
            r#"{contents},"status":"PROCESSING","created_at":"{created_at}","processed_at":null}}"#
        );
        assert_eq!(shown.text(), expected);
    }
}

pub async fn a_duplicate_is_accepted_and_changes_nothing(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    send(&app, BODY).await.is(202);
    let before = stored(&app, "txn_abc123").await;
    let respelled = r#" {"currency":"INR","amount":"1500.00","source_account":"acc_user_1",
        "destination_account":"acc_merchant_1","transaction_id":"txn_abc123"} "#;
    for body in [BODY, respelled] {
        assert_eq!(send(&app, body).await.is(202).text(), ACCEPTED);
    }
    assert_eq!(stored(&app, "txn_abc123").await, before);
    let conflict = app.store.transactions.conflict(&key("txn_abc123")).await.expect("it reads");
    assert_eq!(conflict, None, "all three are the same");
    assert_eq!(all_stored(&database).await, 1);
}

pub async fn other_contents_are_accepted_and_recorded_and_the_first_stay(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    send(&app, BODY).await.is(202);
    let before = stored(&app, "txn_abc123").await;
    for (times, other) in (1..).zip([
        BODY.replace("1500", "1600"),
        BODY.replace("INR", "EUR"),
        BODY.replace("acc_user_1", "acc_user_2"),
        BODY.replace("acc_merchant_1", "acc_merchant_2"),
    ]) {
        assert_eq!(send(&app, other).await.is(202).text(), ACCEPTED);
        assert_eq!(stored(&app, "txn_abc123").await, before);
        let conflict = app.store.transactions.conflict(&key("txn_abc123")).await;
        assert_eq!(conflict.expect("it reads").expect("it was recorded").times, times);
    }
    assert_eq!(all_stored(&database).await, 1);
}

pub async fn duplicates_that_race_at_two_instances_are_one_transaction(database: Arc<Database>) {
    let apps = [TestApp::spawn(&database, &[]).await, TestApp::spawn(&database, &[]).await];
    let sent = (0..60).map(|n| tokio::spawn(Answer::to(webhook(&apps[n % 2], BODY))));
    for answer in join_all(sent.collect::<Vec<_>>()).await {
        assert_eq!(answer.expect("it is answered").is(202).text(), ACCEPTED);
    }
    assert_eq!(all_stored(&database).await, 1);
}

pub async fn an_amount_stays_exact(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for (n, (amount, currency, shown)) in [
        ("92233720368547758.07", "INR", "92233720368547758.07"),
        ("\"0.10\"", "INR", "0.1"),
        ("1e2", "JPY", "100"),
        ("1.001", "BHD", "1.001"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("t{n}");
        let body = BODY.replace("txn_abc123", &id).replace("1500", amount);
        send(&app, body.replace("INR", currency)).await.is(202);
        let text = app.get(&format!("/v1/transactions/{id}")).await.is(200).text();
        assert!(text.contains(&format!(r#""amount":{shown},"currency""#)), "{text}");
    }
}

pub async fn every_id_can_be_looked_up(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let long = "x".repeat(255);
    for (id, path) in [
        ("a/b", "a%2Fb"),
        ("a/", "a%2F"),
        ("100%", "100%25"),
        ("ä ö?#", "%C3%A4%20%C3%B6%3F%23"),
        (long.as_str(), long.as_str()),
    ] {
        send(&app, BODY.replace("txn_abc123", id)).await.is(202);
        let shown = app.get(&format!("/v1/transactions/{path}")).await.is(200).json();
        assert_eq!(shown["transaction_id"], id);
    }
}

pub async fn a_transaction_that_there_is_none_of_is_not_found(database: Arc<Database>) {
    let elsewhere = [("PAYONCE__WEBHOOKS__ACCOUNT", "elsewhere")];
    let other = TestApp::spawn(&database, &elsewhere).await;
    send(&other, BODY).await.is(202);
    let app = TestApp::spawn(&database, &[]).await;
    let long = "x".repeat(256);
    for id in ["txn_abc123", "nobody", "%00", long.as_str()] {
        let refused = app.get(&format!("/v1/transactions/{id}")).await;
        assert_eq!(refused.is(404).text(), r#"{"detail":"Transaction not found"}"#, "{id}");
    }
    // The same id in two accounts is two transactions.
    send(&app, BODY.replace("1500", "1")).await.is(202);
    assert_eq!(all_stored(&database).await, 2);
    assert_eq!(database.number("SELECT count(*) FROM transaction_conflicts"), 0);
}

pub async fn a_webhook_that_breaks_a_rule_is_refused_by_its_field(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let with = |field: &str, old: &str, new: &str| {
        BODY.replace(&format!(r#""{field}":{old}"#), &format!(r#""{field}":{new}"#))
    };
    let long = format!("\"{}\"", "x".repeat(256));
    let mut cases = Vec::new();
    for (field, old) in [
        ("transaction_id", r#""txn_abc123""#),
        ("source_account", r#""acc_user_1""#),
        ("destination_account", r#""acc_merchant_1""#),
    ] {
        for (new, rule) in [
            ("\"\"", "invalid_length"),
            (long.as_str(), "invalid_length"),
            (r#""a\u0000b""#, "invalid_characters"),
            (r#""a\nb""#, "invalid_characters"),
            (r#""\ud800""#, "invalid_string"),
            ("7", "invalid_type"),
            ("null", "required"),
        ] {
            cases.push((with(field, old, new), field, rule));
        }
    }
    for (new, rule) in [
        ("0", "not_positive"),
        ("-1", "not_positive"),
        ("1.001", "too_many_decimals"),
        ("1e400", "out_of_range"),
        ("\"many\"", "not_a_number"),
        ("true", "invalid_type"),
        ("null", "required"),
    ] {
        cases.push((with("amount", "1500", new), "amount", rule));
    }
    for (new, rule) in
        [("\"inr\"", "unknown_currency"), ("\"XAU\"", "unknown_currency"), ("null", "required")]
    {
        cases.push((with("currency", r#""INR""#, new), "currency", rule));
    }
    cases.push((BODY.replace('}', r#","note":1}"#), "note", "unknown_field"));
    cases.push((BODY.replace('}', r#","amount":1500}"#), "amount", "duplicate_field"));
    for (body, field, rule) in cases {
        let refused = send(&app, body.clone()).await;
        let expected = (format!(r#"["body","{field}"]"#), rule.to_owned());
        assert_eq!(broken_rules(&refused), [expected], "{body}");
    }
    let all = broken_rules(&send(&app, r#"{"amount":"x","other":1}"#).await);
    let types: Vec<_> = all.iter().map(|(_, rule)| rule.as_str()).collect();
    let expected =
        ["unknown_field", "required", "required", "required", "required", "not_a_number"];
    assert_eq!(types, expected, "{all:?}");
    assert_eq!(all_stored(&database).await, 0);
}

pub async fn a_webhook_that_is_no_object_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for body in ["", "[]", "null", "{", "x=1", r#"{"amount":}"#] {
        let refused = send(&app, body).await;
        assert_eq!(broken_rules(&refused).len(), 1, "{body}");
    }
    let plain = app.request(Method::POST, PATH).header("Content-Type", "text/plain").body(BODY);
    is_detail(&Answer::to(plain).await, 415);
    is_detail(&send(&app, " ".repeat(70_000)).await, 413);
    let wrong_method = app.get(PATH).await;
    is_detail(&wrong_method, 405);
    assert_eq!(wrong_method.header("Allow"), Some("POST"));
    assert_eq!(all_stored(&database).await, 0);
}

#[track_caller]
fn is_not_stored(answer: &Answer) {
    is_detail(answer, 503);
    let wait = answer.header("Retry-After").expect("when to come again");
    assert!(wait.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{wait}");
}

pub async fn what_cannot_be_stored_is_never_accepted(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    database.execute("ALTER TABLE transactions RENAME TO gone");
    is_not_stored(&send(&app, BODY).await);
    database.execute("ALTER TABLE gone RENAME TO transactions");
    send(&app, BODY).await.is(202);
    assert_eq!(all_stored(&database).await, 1);
}

async fn is_refused_while_the_server_is_away(database: Arc<Database>) {
    let hidden = Hidden::new(&database);
    let app = TestApp::start(&database, hidden.url(), &[("PAYONCE__DATABASE__POOL_WAIT", "500ms")]);
    is_not_stored(&send(&app, BODY).await);
    let gate = hidden.appear();
    app.ready().await;
    send(&app, BODY).await.is(202);
    drop(gate);
    is_not_stored(&send(&app, BODY.replace("txn_abc123", "late")).await);
    let gate = hidden.appear();
    app.ready().await;
    assert_eq!(stored(&app, "late").await, None);
    assert!(stored(&app, "txn_abc123").await.is_some());
    app.stop().await;
    drop(gate);
}

/// Only PostgreSQL can go away: a file that is open stays where it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_refused_while_the_server_is_away() {
    keep(TestDatabase::postgres, is_refused_while_the_server_is_away).await;
}
