//! Card numbers in what a client writes freely: refused, and nowhere to be found afterwards.

use std::sync::Arc;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp};
use crate::cli::Process;

/// Numbers that networks publish for tests, as people write them.
const CARDS: [&str; 4] =
    ["4242424242424242", "4242 4242 4242 4242", "3782-822463-10005", "6205500000000000004"];
/// The same digits one off: the check digit does not come out.
const NO_CARD: &str = "4242424242424241";

fn payment_with(field: &str, value: &Value) -> String {
    json!({"amount": 100, field: value}).to_string()
}

/// Each place of a canonical payment that a client fills freely.
fn places(text: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("description", json!(format!("card {text}, please"))),
        ("reference", json!(text)),
        ("payment_method", json!(text)),
        ("metadata", json!({"note": text})),
        ("metadata", json!({"fine": "x", text: "note"})),
    ]
}

/// A quarter of the number by itself, as a masked one shows, or half of it within anything; a time or
/// an id may hold a quarter by chance.
fn tells_card(text: &str) -> bool {
    let mut words = text.split(|one: char| !one.is_ascii_alphanumeric() && one != '-');
    words.any(|word| {
        let word = word.replace('-', "");
        word == "4242" || word.contains("42424242")
    })
}

pub async fn a_card_number_is_refused_wherever_a_client_writes_freely(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let mut cases: Vec<_> = CARDS.iter().flat_map(|card| places(card)).collect();
    for name in ["cvv", "CVC", "card_number", "Card-Number", "pan", "security code"] {
        cases.push(("metadata", json!({name: "123"})));
    }
    for (field, value) in &cases {
        for path in ["/v1/payments", "/payments"] {
            let request = app.request(Method::POST, path).header("Idempotency-Key", "k");
            let request = request.header("Content-Type", "application/json");
            let refused = Answer::to(request.body(payment_with(field, value))).await;
            refused.is_refused(400, "validation_failed");
            let named = vec![((*field).to_owned(), "card_data".to_owned())];
            assert_eq!(refused.wrong_fields(), named, "{value}");
            let words = refused.text();
            assert!(words.contains("must not h") && !tells_card(&words), "{words}");
        }
    }
    for name in ["cvv", "card_number", "card"] {
        let refused = app.pay("k", payment_with(name, &json!("123"))).await;
        assert_eq!(refused.wrong_fields(), [(name.to_owned(), "unknown_field".to_owned())]);
    }
    assert_eq!(app.key("k").await, None);
    app.has_done_nothing().await;

    for (at, (field, value)) in places(NO_CARD).iter().enumerate() {
        app.pay(&format!("k{at}"), payment_with(field, value)).await.is_first();
    }
}

pub async fn a_card_number_in_an_opaque_payload_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let path = "/api/payment/v1/payments";
    for card in CARDS {
        let data = format!("{{\"card\":\"{card}\"}}");
        let body = json!({"idempotency_id": "k", "request_data": data}).to_string();
        let refused = app.send(path, body).await;
        let named = ("body.request_data".to_owned(), "card_data".to_owned());
        assert_eq!(refused.broken_rules(), [named], "{card}");
        assert!(!refused.text().contains(card), "{refused:?}");
    }
    assert_eq!(app.key("k").await, None);
    app.send(path, json!({"idempotency_id": "k", "request_data": NO_CARD}).to_string())
        .await
        .is(201);
}

pub async fn an_id_is_never_taken_for_a_card_number(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let [card, spaced, ..] = CARDS;
    app.pay(card, BODY).await.is_first();
    for (path, body) in [
        ("/pay", json!({"user_id": card, "amount": 1, "idempotency_key": spaced})),
        ("/payments/start", json!({"order_id": card, "amount": 1})),
    ] {
        app.send(path, body.to_string()).await.is(200);
    }
    let opaque = json!({"idempotency_id": format!("{card}0"), "request_data": "d"});
    app.send("/api/payment/v1/payments", opaque.to_string()).await.is(201);
    let transaction = json!({"transaction_id": card, "source_account": card,
        "destination_account": spaced, "amount": 1, "currency": "INR"});
    app.send("/v1/webhooks/transactions", transaction.to_string()).await.is(202);
}

pub async fn a_refused_card_number_is_neither_stored_nor_logged(database: Arc<Database>) {
    let settings = [("PAYONCE__LOG__LEVEL", "trace")];
    let mut service = Process::serve(&database, &settings).await;
    let body = r#"{"amount":1,"payment_method":"4242424242424242",
        "reference":"4242 4242 4242 4242","description":"4242-4242-4242-4242",
        "metadata":{"4242424242424242":"4242424242424242"}}"#;
    let refused = Answer::to(service.pay("k", body)).await;
    assert_eq!(
        refused.is_refused(400, "validation_failed")["errors"].as_array().map(Vec::len),
        Some(4)
    );
    Answer::to(service.pay("k", BODY)).await.is_first();
    service.send(Signal::TERM);
    assert_eq!(service.ends().await.code(), Some(0));
    let log = service.lines.join("\n");
    assert!(log.contains("Payment processed") && !tells_card(&log), "{log}");

    if let Some(path) = database.url().strip_prefix("sqlite://") {
        for file in [path.to_owned(), format!("{path}-wal")] {
            let bytes = std::fs::read(file).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&bytes).contains("424242424242"));
        }
        return;
    }
    for table in ["idempotency_records", "payments", "payment_outcomes"] {
        let row = "replace(replace(t::text, ' ', ''), '-', '')";
        let rows = format!("SELECT count(*) FROM {table} AS t");
        assert!(database.number(&rows) > 0, "{table}");
        assert_eq!(database.number(&format!("{rows} WHERE {row} LIKE '%424242424242%'")), 0);
    }
}
