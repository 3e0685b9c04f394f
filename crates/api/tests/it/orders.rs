//! The format whose key is the order itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use payonce_domain::payment::Operation;
use payonce_domain::ports::HandOverTo;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::answer::{Answer, uuid_v7};
use crate::app::{Database, TestApp};
use crate::elsewhere::Elsewhere;
use crate::latency;

/// The contract's own example.
const EXAMPLE: &str = r#"{"order_id": "ORD123", "amount": 100.0}"#;
const PATH: &str = "/payments/start/";

const FAILS: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "1");
const DECLINES: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__DECLINE_RATE", "1");
const SHORT: (&str, &str) = ("PAYONCE__IDEMPOTENCY__RETENTION", "1ms");
const REUSE: (&str, &str) = ("PAYONCE__IDEMPOTENCY__AFTER_EXPIRY", "reuse");

fn body(order: &str) -> String {
    json!({"order_id": order, "amount": 100}).to_string()
}

async fn start(app: &TestApp, order: &str) -> Answer {
    app.send(PATH, body(order)).await
}

fn starting(app: &TestApp, order: &str) -> JoinHandle<Answer> {
    let request = app.post(PATH).header("Prefer", "wait=3600").body(body(order));
    tokio::spawn(Answer::to(request))
}

/// It is paid; returns the payment's id.
#[track_caller]
fn is_paid(answer: &Answer, is_replay: bool) -> String {
    answer.is(200).is_stored(is_replay);
    let id = answer.json()["payment_id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.text(), format!(r#"{{"payment_id":"{id}"}}"#));
    id
}

/// What the order is reported to have come to.
async fn is_reported(app: &TestApp, order: &str, payment: &str, status: &str) {
    for path in [format!("/payments/start/{order}"), format!("/payments/start/{order}/")] {
        let report = app.get(&path).await;
        assert_eq!(report.is(200).header("Content-Type"), Some("application/json"));
        let expected = format!(
            r#"{{"payment_id":"{payment}","order_id":"{order}","status":"{status}","amount":"100.00"}}"#
        );
        assert_eq!(report.text(), expected);
    }
}

pub async fn the_order_example_is_answered_word_for_word_and_replayed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let first = Answer::to(app.post(PATH).header("X-Request-Id", "one").body(EXAMPLE)).await;
    let id = is_paid(&first, false);
    uuid_v7(&id);
    for path in [PATH, "/payments/start"] {
        for spelling in [EXAMPLE, r#"{"amount":"100.00","order_id":"ORD\u003123"}"#] {
            let repeat = app.send(path, spelling).await;
            assert_eq!(is_paid(&repeat, true), id);
            assert_eq!(repeat.body, first.body);
            assert_eq!(repeat.header("Original-Request-Id"), Some("one"));
        }
    }
    is_reported(&app, "ORD123", &id, "COMPLETED").await;
    let payment = app.has_paid_once().await;
    assert_eq!(app.get(&format!("/v1/payments/{id}")).await.is(200).json(), payment);
    assert_eq!((&payment["id"], &payment["reference"]), (&json!(id), &json!("ORD123")));
    assert_eq!((&payment["status"], &payment["amount"]), (&json!("COMPLETED"), &json!("100.00")));
    let found = app.get("/v1/payments?reference=ORD123").await.is(200).json();
    assert_eq!(found["data"], json!([payment]));
    assert_eq!(app.key("ORD123").await, None, "an order is no key");
}

pub async fn every_order_id_can_be_reported(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let long = "x".repeat(255);
    for (order, path) in [
        ("a/b", "a%2Fb"),
        ("a/", "a%2F"),
        ("50%", "50%25"),
        ("a b", "a%20b"),
        ("a+b", "a+b"),
        ("ä ö", "%C3%A4%20%C3%B6"),
        ("?#", "%3F%23"),
        ("\"a\"", "%22a%22"),
        ("start", "start"),
        (long.as_str(), long.as_str()),
    ] {
        let id = is_paid(&start(&app, order).await, false);
        for slash in ["", "/"] {
            let report = app.get(&format!("/payments/start/{path}{slash}")).await.is(200).json();
            let expected = json!({"payment_id": id, "order_id": order, "status": "COMPLETED",
                "amount": "100.00"});
            assert_eq!(report, expected);
        }
    }
}

pub async fn a_field_of_an_order_that_breaks_a_rule_is_named(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let order = |value: &str| format!(r#"{{"order_id":{value},"amount":100}}"#);
    let amount = |value: &str| format!(r#"{{"order_id":"o","amount":{value}}}"#);
    let long = format!("\"{}\"", "x".repeat(256));
    for (body, field, rule) in [
        (r#"{"amount":100}"#.to_owned(), "order_id", "is required"),
        (r#"{"order_id":"o"}"#.to_owned(), "amount", "is required"),
        (order("null"), "order_id", "is required"),
        (order("\"\""), "order_id", "1 to 255 characters"),
        (order(&long), "order_id", "1 to 255 characters"),
        (order("\"  \""), "order_id", "printable"),
        (order("\"a\\u0000\""), "order_id", "printable"),
        (order("7"), "order_id", "must be a string"),
        (amount("null"), "amount", "is required"),
        (amount("0"), "amount", "greater than zero"),
        (amount("-0.01"), "amount", "greater than zero"),
        (amount("100.001"), "amount", "decimals"),
        (amount("{}"), "amount", "must be a number or a string"),
        (amount("100,\"note\":1"), "note", "is unknown"),
        (amount("100,\"order_id\":\"o\""), "order_id", "only once"),
        (amount("1x"), "", "no JSON object"),
        (String::new(), "", "no JSON object"),
        ("null".to_owned(), "", "no JSON object"),
    ] {
        let words = app.send(PATH, body.clone()).await.is_error(400);
        assert!(words.contains(field) && words.contains(rule), "{body}: {words}");
    }
    app.has_done_nothing().await;
    app.get("/payments/start/o").await.is_error(404);
    is_paid(&start(&app, "o").await, false);
}

pub async fn what_cannot_be_read_is_refused_in_the_form_of_orders(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let plain = app.request(Method::POST, PATH).header("Content-Type", "text/plain");
    Answer::to(plain.body(EXAMPLE)).await.is_error(415);
    app.send(PATH, " ".repeat(70_000)).await.is_error(413);
    for (method, path, allow) in [
        (Method::GET, PATH, "POST"),
        (Method::GET, "/payments/start", "POST"),
        (Method::POST, "/payments/start/ORD123", "GET"),
        (Method::DELETE, "/payments/start/ORD123/", "GET"),
    ] {
        let refused = Answer::to(app.request(method, path)).await;
        refused.is_error(405);
        assert_eq!(refused.header("Allow"), Some(allow), "{path}");
    }
    app.has_done_nothing().await;
}

pub async fn an_unknown_order_is_not_found(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    app.pay("ORD1", crate::app::BODY).await.is_first();
    is_paid(&start(&app, "ORD2").await, false);
    let long = "x".repeat(256);
    for order in ["ORD1", "ord2", "ORD", "ORD22", "%20", "%00", "%FF", long.as_str()] {
        app.get(&format!("/payments/start/{order}")).await.is_error(404);
    }
}

pub async fn another_amount_for_a_known_order_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let running = Elsewhere::opens_in_format(&app, "running", Operation::StartPayment).await;
    let id = is_paid(&start(&app, "paid").await, false);
    for order in ["running", "paid"] {
        for amount in ["7", "100.01"] {
            let other = format!(r#"{{"order_id":"{order}","amount":{amount}}}"#);
            app.send(PATH, other).await.is_error(422);
        }
    }
    assert!(running.settles().await);
    assert_eq!(is_paid(&start(&app, "running").await, true), running.payment());
    assert_eq!(is_paid(&start(&app, "paid").await, true), id);
    assert_eq!((app.charges(), app.payments().await.len()), (1, 2));
}

pub async fn fifty_requests_for_one_order_pay_once(database: Arc<Database>) {
    let apps = [
        TestApp::spawn(&database, &latency!("200ms")).await,
        TestApp::spawn(&database, &latency!("200ms")).await,
    ];
    let answers = join_all((0..50).map(|at| starting(&apps[at % 2], "ORD123"))).await;
    let answers: Vec<_> = answers.into_iter().map(|it| it.expect("no panic")).collect();
    assert!(answers.iter().all(|answer| answer.is(200).body == answers[0].body));
    let firsts = answers.iter().filter(|it| it.header("Idempotent-Replayed") == Some("false"));
    assert_eq!(firsts.count(), 1);
    assert_eq!(apps[0].charges() + apps[1].charges(), 1);
    assert_eq!(apps[0].payments().await.len(), 1);
}

pub async fn an_order_in_use_is_told_so_and_then_answered(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let running = Elsewhere::opens_in_format(&app, "ORD123", Operation::StartPayment).await;
    let request = app.post(PATH).header("Prefer", "wait=0").body(EXAMPLE);
    let refused = Answer::to(request).await;
    refused.is_error(409);
    assert_eq!(refused.header("Retry-After"), Some("1"));
    is_reported(&app, "ORD123", &running.payment(), "PROCESSING").await;
    let waiting = starting(&app, "ORD123");
    assert!(running.settles().await);
    assert_eq!(is_paid(&waiting.await.expect("no panic"), true), running.payment());
    is_reported(&app, "ORD123", &running.payment(), "COMPLETED").await;
    assert_eq!(app.charges(), 0);
}

pub async fn a_declined_order_is_final_and_replayed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[DECLINES]).await;
    let declined = start(&app, "ORD123").await;
    declined.is(402).is_stored(false);
    is_final(&database, &app, &declined, r#"{"error":"Payment declined"}"#).await;
}

pub async fn a_failed_order_is_final_and_replayed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[FAILS]).await;
    let failed = start(&app, "ORD123").await;
    failed.is(502).is_stored(false);
    is_final(&database, &app, &failed, r#"{"error":"Gateway error"}"#).await;
    let payment = app.payments().await.remove(0);
    assert_eq!(payment["attempts"], 3, "up to three times");
    let events = app.events(payment["id"].as_str().expect("an id")).await;
    assert!(events.contains(&"void by request".to_owned()), "{events:?}");
}

/// A failure stands for ever, also where the gateway works again.
async fn is_final(database: &Database, app: &TestApp, failed: &Answer, body: &str) {
    assert_eq!(failed.text(), body);
    let well = TestApp::spawn(database, &[]).await;
    for repeat in [start(app, "ORD123").await, start(&well, "ORD123").await] {
        repeat.is(failed.status).is_stored(true);
        assert_eq!(repeat.body, failed.body);
    }
    let payments = app.payments().await;
    assert_eq!(payments.len(), 1, "{payments:#?}");
    is_reported(app, "ORD123", payments[0]["id"].as_str().expect("an id"), "FAILED").await;
    assert_eq!(app.charges() + well.charges(), 0);
}

pub async fn an_order_of_unknown_outcome_is_pending_and_never_final(database: Arc<Database>) {
    let [min, max] = latency!("1h");
    let variables = [
        min,
        max,
        ("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "50ms"),
        ("PAYONCE__GATEWAY__DEADLINE", "2s"),
    ];
    let app = TestApp::spawn(&database, &variables).await;
    let first = start(&app, "ORD123").await;
    let id = first.json()["payment_id"].as_str().expect("an id").to_owned();
    let reviewed = Elsewhere::opens_in_format(&app, "ORD9", Operation::StartPayment).await;
    reviewed.hands_over(HandOverTo::Review).await;
    let waits = Elsewhere::opens_in_format(&app, "ORD8", Operation::StartPayment).await;
    waits.hands_over(HandOverTo::Recovery(Duration::from_secs(3600))).await;
    for (answer, order, id, status) in [
        (first, "ORD123", id.clone(), "PROCESSING"),
        (start(&app, "ORD123").await, "ORD123", id, "PROCESSING"),
        (start(&app, "ORD8").await, "ORD8", waits.payment(), "PROCESSING"),
        (start(&app, "ORD9").await, "ORD9", reviewed.payment(), "NEEDS_REVIEW"),
    ] {
        let expected = format!(r#"{{"payment_id":"{id}","status":"{status}"}}"#);
        assert_eq!(answer.is(202).text(), expected);
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        assert_eq!(answer.header("Retry-After"), Some("2"));
        assert_ne!(answer.header("Idempotent-Replayed"), Some("true"));
        is_reported(&app, order, &id, status).await;
    }
    assert_eq!(app.charges(), 0);
}

pub async fn an_order_never_expires_whatever_the_operator_says(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[SHORT, REUSE]).await;
    let failing = TestApp::spawn(&database, &[SHORT, REUSE, FAILS]).await;
    let failed = start(&failing, "failed").await;
    failed.is(502);
    let paid = start(&app, "paid").await;
    let id = is_paid(&paid, false);
    // A key of the same service that was settled later has expired by then.
    app.pay("k", crate::app::BODY).await.is_first();
    app.until_key_is("k", "expired").await;
    for app in [&app, &failing] {
        let repeat = start(app, "paid").await;
        assert_eq!(is_paid(&repeat, true), id);
        assert_eq!(repeat.body, paid.body);
        let repeat = start(app, "failed").await;
        assert_eq!(repeat.is(502).is_stored(true).body, failed.body);
        app.send(PATH, r#"{"order_id":"paid","amount":7}"#).await.is_error(422);
    }
    let listed = app.get("/v1/payments?limit=100").await.is(200).json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(3), "{listed}");
    assert_eq!(app.charges(), 2);
    assert_eq!(listed["next_cursor"], Value::Null);
}
