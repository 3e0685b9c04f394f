//! The format with user, amount and key in its body, whose key stays open until it is paid.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use payonce_domain::payment::Operation;
use payonce_domain::ports::HandOverTo;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::answer::{Answer, uuid_v7};
use crate::app::{BODY, Database, TestApp};
use crate::elsewhere::Elsewhere;
use crate::latency;

/// The contract's own example.
const EXAMPLE: &str =
    r#"{"user_id": "user123", "amount": 100.0, "idempotency_key": "unique-key-123"}"#;

const FAILS: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "1");
const FAILS_OFTEN: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "0.85");
const SEED: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__SEED", "7");
const DECLINES: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__DECLINE_RATE", "1");
const SHORT: (&str, &str) = ("PAYONCE__IDEMPOTENCY__RETENTION", "1ms");
const REUSE: (&str, &str) = ("PAYONCE__IDEMPOTENCY__AFTER_EXPIRY", "reuse");

fn body(key: &str) -> String {
    json!({"user_id": "user123", "amount": 100, "idempotency_key": key}).to_string()
}

async fn pay(app: &TestApp, key: &str) -> Answer {
    app.send("/pay", body(key)).await
}

async fn not_waiting(app: &TestApp, key: &str) -> Answer {
    Answer::to(app.post("/pay").header("Prefer", "wait=0").body(body(key))).await
}

fn paying(app: &TestApp, key: &str) -> JoinHandle<Answer> {
    let request = app.post("/pay").header("Prefer", "wait=3600").body(body(key));
    tokio::spawn(Answer::to(request))
}

/// It is paid; returns the payment's id.
#[track_caller]
fn is_paid(answer: &Answer, is_replay: bool) -> String {
    answer.is(200).is_stored(is_replay);
    let id = answer.json()["payment_id"].as_str().expect("an id").to_owned();
    let expected =
        format!(r#"{{"message":"Payment processed","payment_id":"{id}","status":"COMPLETED"}}"#);
    assert_eq!(answer.text(), expected);
    id
}

/// The only payment, which is not final.
async fn open_payment(app: &TestApp) -> String {
    let payments = app.payments().await;
    assert_eq!(payments.len(), 1, "{payments:#?}");
    assert_eq!(payments[0]["status"], "PROCESSING");
    assert_eq!(app.charges(), 0);
    payments[0]["id"].as_str().expect("an id").to_owned()
}

pub async fn the_pay_example_is_answered_word_for_word_and_replayed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let first = Answer::to(app.post("/pay").header("X-Request-Id", "one").body(EXAMPLE)).await;
    let id = is_paid(&first, false);
    uuid_v7(&id);
    for path in ["/pay", "/pay/"] {
        for spelling in [
            EXAMPLE,
            r#"{"idempotency_key":"unique-key-123","amount":"100.00","user_id":"user123"}"#,
            r#"{"amount":1e2,"user_id":"user\u0031\u00323","idempotency_key":"unique-key-123"}"#,
        ] {
            let repeat = app.send(path, spelling).await;
            is_paid(&repeat, true);
            assert_eq!(repeat.body, first.body);
            assert_eq!(repeat.header("Original-Request-Id"), Some("one"));
        }
    }
    let payment = app.has_paid_once().await;
    assert_eq!(app.get(&format!("/v1/payments/{id}")).await.is(200).json(), payment);
    assert_eq!(payment["id"], id);
    assert_eq!((&payment["status"], &payment["amount"]), (&json!("COMPLETED"), &json!("100.00")));
    assert_eq!(payment["currency"], "USD");
    assert_eq!(payment["metadata"], json!({"user_id": "user123"}));
    let known = app.key("unique-key-123").await.expect("it is known");
    assert_eq!((&known["state"], &known["payment_id"]), (&json!("completed"), &json!(id)));
    let found = app.get("/v1/payments?idempotency_key=unique-key-123").await.is(200).json();
    assert_eq!(found["data"], json!([payment]));
}

pub async fn the_slash_at_the_end_of_pay_makes_no_other_payment(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let first = app.send("/pay/", EXAMPLE).await;
    is_paid(&first, false);
    assert_eq!(app.send("/pay", EXAMPLE).await.is(200).body, first.body);
    app.has_paid_once().await;
}

pub async fn a_field_of_a_pay_request_that_breaks_a_rule_is_named(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let with = |field: &str, value: &str| {
        let mut fields = vec![("user_id", "\"u\""), ("amount", "1"), ("idempotency_key", "\"k\"")];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let fields = fields.iter().map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    let without = |field: &str| with(field, "null");
    let long = format!("\"{}\"", "x".repeat(256));
    for (body, field, rule) in [
        ("{}".to_owned(), "user_id", "is required"),
        (without("user_id"), "user_id", "is required"),
        (without("amount"), "amount", "is required"),
        (without("idempotency_key"), "idempotency_key", "is required"),
        (with("user_id", "\"\""), "user_id", "1 to 255 characters"),
        (with("user_id", &long), "user_id", "1 to 255 characters"),
        (with("user_id", "\"a\\u0000\""), "user_id", "control characters"),
        (with("user_id", "7"), "user_id", "must be a string"),
        (with("idempotency_key", "\"\""), "idempotency_key", "1 to 255 characters"),
        (with("idempotency_key", &long), "idempotency_key", "1 to 255 characters"),
        (with("idempotency_key", "\" \""), "idempotency_key", "printable"),
        (with("idempotency_key", "\"a\\nb\""), "idempotency_key", "printable"),
        (with("idempotency_key", "7"), "idempotency_key", "must be a string"),
        (with("amount", "0"), "amount", "greater than zero"),
        (with("amount", "-1"), "amount", "greater than zero"),
        (with("amount", "1.001"), "amount", "decimals"),
        (with("amount", "1e400"), "amount", ""),
        (with("amount", "\"abc\""), "amount", "decimal number"),
        (with("amount", "[1]"), "amount", "must be a number or a string"),
        (with("amount", "NaN"), "", "no JSON object"),
        (with("currency", "\"EUR\""), "currency", "is unknown"),
        (with("amount", "1,\"amount\":1"), "amount", "only once"),
        ("".to_owned(), "", "no JSON object"),
        ("[]".to_owned(), "", "no JSON object"),
        ("{\"user_id\"".to_owned(), "", "no JSON object"),
    ] {
        let refused = app.send("/pay", body.clone()).await;
        let words = refused.is_error(400);
        assert!(words.contains(field) && words.contains(rule), "{body}: {words}");
        assert_eq!(app.key("k").await, None, "{body}");
    }
    let words = app.send("/pay", r#"{"amount":0,"idempotency_key":"","x":1}"#).await.is_error(400);
    for field in ["user_id", "amount", "idempotency_key", "x"] {
        assert!(words.contains(field), "all at once: {words}");
    }
    app.has_done_nothing().await;
    is_paid(&app.send("/pay", with("amount", "1")).await, false);
}

pub async fn what_cannot_be_read_is_refused_in_the_pay_form(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let plain = app.request(Method::POST, "/pay").header("Content-Type", "text/plain");
    Answer::to(plain.body(EXAMPLE)).await.is_error(415);
    app.send("/pay", " ".repeat(70_000)).await.is_error(413);
    for method in [Method::GET, Method::PUT] {
        for path in ["/pay", "/pay/"] {
            let refused = Answer::to(app.request(method.clone(), path)).await;
            refused.is_error(405);
            assert_eq!(refused.header("Allow"), Some("POST"));
        }
    }
    app.has_done_nothing().await;
}

pub async fn another_pay_request_under_a_known_key_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let running = Elsewhere::opens_in_format(&app, "running", Operation::Pay).await;
    is_paid(&pay(&app, "paid").await, false);
    for key in ["running", "paid"] {
        for (user, amount) in [("user123", 7), ("somebody", 100)] {
            let other = json!({"user_id": user, "amount": amount, "idempotency_key": key});
            let words = app.send("/pay", other.to_string()).await.is_error(422);
            assert!(!words.contains("user123"), "{words}");
        }
    }
    assert!(running.settles().await);
    assert_eq!(is_paid(&pay(&app, "running").await, true), running.payment());
    is_paid(&pay(&app, "paid").await, true);
    assert_eq!(app.charges(), 1);
}

pub async fn fifty_pay_requests_with_one_fresh_key_pay_once(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &latency!("200ms")).await;
    let answers = join_all((0..50).map(|_| paying(&app, "k"))).await;
    let answers: Vec<_> = answers.into_iter().map(|it| it.expect("no panic")).collect();
    let firsts = answers.iter().filter(|it| it.header("Idempotent-Replayed") == Some("false"));
    assert_eq!(firsts.count(), 1);
    assert!(answers.iter().all(|answer| answer.is(200).body == answers[0].body));
    assert_eq!(app.has_paid_once().await["id"], answers[0].json()["payment_id"]);
}

pub async fn a_pay_request_whose_key_is_in_use_is_told_so(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let running = Elsewhere::opens_in_format(&app, "k", Operation::Pay).await;
    let refused = not_waiting(&app, "k").await;
    refused.is_error(409);
    assert_eq!(refused.header("Retry-After"), Some("1"));
    let waiting = paying(&app, "k");
    assert!(running.settles().await);
    assert_eq!(is_paid(&waiting.await.expect("no panic"), true), running.payment());
    assert_eq!(app.charges(), 0);
}

pub async fn a_declined_pay_request_is_final_and_replayed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[DECLINES]).await;
    let declined = pay(&app, "k").await;
    declined.is(402).is_stored(false);
    assert_eq!(declined.text(), r#"{"error":"Payment declined"}"#);
    let well = TestApp::spawn(&database, &[]).await;
    for repeat in [pay(&app, "k").await, pay(&well, "k").await] {
        repeat.is(402).is_stored(true);
        assert_eq!(repeat.body, declined.body);
    }
    assert_eq!(app.payments().await[0]["status"], "FAILED");
    assert_eq!(app.charges() + well.charges(), 0);
}

pub async fn a_key_whose_attempts_failed_stays_open_until_it_is_paid(database: Arc<Database>) {
    // A retention that is over at once: what is not final never expires.
    let failing = TestApp::spawn(&database, &[FAILS, SHORT, REUSE]).await;
    let mut last = None;
    for round in 1..=4 {
        let failed = not_waiting(&failing, "k").await;
        failed.is_error(500);
        assert_eq!(failed.header("Retry-After"), Some("1"));
        let id = open_payment(&failing).await;
        assert_eq!(*last.get_or_insert(id.clone()), id, "the same payment in every round");
        assert_eq!(failing.key("k").await.expect("it is known")["state"], "in_progress");
        let events = failing.events(&id).await;
        let left = events.iter().filter(|event| event.starts_with("left_open by "));
        assert_eq!(left.count(), round, "{events:?}");
        assert!(!events.iter().any(|event| event.starts_with("void")), "{events:?}");
    }
    let well = TestApp::spawn(&database, &[]).await;
    let paid = pay(&well, "k").await;
    let id = is_paid(&paid, false);
    assert_eq!(Some(&id), last.as_ref());
    assert_eq!(well.has_paid_once().await["id"], id);
    for repeat in [pay(&well, "k").await, pay(&failing, "k").await] {
        is_paid(&repeat, true);
        assert_eq!(repeat.body, paid.body);
    }
    let events = well.events(&id).await;
    let round = |who: &str| {
        let attempt = format!("attempt by {who}");
        [attempt.clone(), attempt.clone(), attempt, format!("look_up by {who}")]
    };
    assert_eq!(events[0], "created by request");
    assert_eq!(events[1..5], round("request"));
    assert_eq!(events[5..8], ["left_open by request", "taken_over by retry", "look_up by retry"]);
    assert_eq!(events[8..12], round("retry"));
    assert_eq!(events[12], "left_open by retry");
    let end = ["taken_over", "look_up", "attempt", "completed"].map(|it| format!("{it} by retry"));
    assert_eq!(events[events.len() - 4..], end);
}

pub async fn an_open_key_is_no_other_requests(database: Arc<Database>) {
    let failing = TestApp::spawn(&database, &[FAILS]).await;
    pay(&failing, "k").await.is_error(500);
    let well = TestApp::spawn(&database, &[]).await;
    let dearer = json!({"user_id": "user123", "amount": 101, "idempotency_key": "k"});
    well.send("/pay", dearer.to_string()).await.is_error(422);
    well.pay("k", BODY).await.is_refused(422, "idempotency_key_reused");
    open_payment(&well).await;
    is_paid(&pay(&well, "k").await, false);
    well.has_paid_once().await;
}

pub async fn of_16_racing_retries_of_an_open_key_one_pays(database: Arc<Database>) {
    let failing = TestApp::spawn(&database, &[FAILS]).await;
    pay(&failing, "k").await.is_error(500);
    let id = open_payment(&failing).await;
    let wells = [
        TestApp::spawn(&database, &latency!("100ms")).await,
        TestApp::spawn(&database, &latency!("100ms")).await,
    ];
    let answers = join_all((0..16).map(|at| paying(&wells[at % 2], "k"))).await;
    let answers: Vec<_> = answers.into_iter().map(|it| it.expect("no panic")).collect();
    assert!(answers.iter().all(|answer| answer.is(200).body == answers[0].body));
    let firsts = answers.iter().filter(|it| it.header("Idempotent-Replayed") == Some("false"));
    assert_eq!(firsts.count(), 1);
    assert_eq!(answers[0].json()["payment_id"], id);
    assert_eq!(wells[0].charges() + wells[1].charges(), 1);
    let events = wells[0].events(&id).await;
    let taken = events.iter().filter(|event| event.starts_with("taken_over by "));
    assert_eq!(taken.count(), 1, "{events:?}");
}

pub async fn a_crowd_at_a_failing_gateway_leaves_one_open_payment(database: Arc<Database>) {
    let failing = TestApp::spawn(&database, &[FAILS]).await;
    let requests = (0..16).map(|_| {
        let request = failing.post("/pay").header("Prefer", "wait=1").body(body("k"));
        tokio::spawn(Answer::to(request))
    });
    for answer in join_all(requests.collect::<Vec<_>>()).await {
        let answer = answer.expect("no panic");
        assert!([409, 500].contains(&answer.status), "{answer:?}");
        answer.is_error(answer.status);
    }
    let id = open_payment(&failing).await;
    let well = TestApp::spawn(&database, &[]).await;
    assert_eq!(is_paid(&pay(&well, "k").await, false), id);
    well.has_paid_once().await;
}

pub async fn a_client_that_repeats_until_it_is_paid_is_charged_once(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[FAILS_OFTEN, SEED]).await;
    let mut failures = 0;
    for at in 1..=20 {
        let key = format!("k{at}");
        let paid = loop {
            let answer = pay(&app, &key).await;
            if answer.status == 200 {
                break answer;
            }
            answer.is_error(500);
            failures += 1;
            assert!(failures < 2_000, "it never comes to an end");
        };
        is_paid(&paid, false);
        assert_eq!(pay(&app, &key).await.body, paid.body);
        assert_eq!(app.charges(), at);
        assert_eq!(app.payments().await.len(), at);
    }
    assert!(failures > 0, "a gateway that always works shows nothing");
}

pub async fn an_expired_pay_key_is_refused_and_nothing_is_executed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[SHORT]).await;
    is_paid(&pay(&app, "k").await, false);
    app.until_key_is("k", "expired").await;
    pay(&app, "k").await.is_error(422);
    app.has_paid_once().await;
    let reusing = TestApp::spawn(&database, &[SHORT, REUSE]).await;
    is_paid(&pay(&reusing, "k").await, false);
    assert_eq!((app.charges(), reusing.charges()), (1, 1));
    assert_eq!(app.payments().await.len(), 2);
}

pub async fn while_a_void_or_a_review_is_pending_a_repeat_is_a_conflict(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let voided = Elsewhere::opens_in_format(&app, "void", Operation::Pay).await;
    voided.intends_a_void().await;
    voided.hands_over(HandOverTo::Recovery(Duration::from_secs(3600))).await;
    let reviewed = Elsewhere::opens_in_format(&app, "review", Operation::Pay).await;
    reviewed.hands_over(HandOverTo::Review).await;
    for (key, payment, status) in
        [("void", voided.payment(), "PROCESSING"), ("review", reviewed.payment(), "NEEDS_REVIEW")]
    {
        let refused = pay(&app, key).await;
        refused.is_error(409);
        assert_eq!(refused.header("Retry-After"), Some("1"));
        let shown = app.get(&format!("/v1/payments/{payment}")).await.is(200).json();
        assert_eq!(shown["status"], status);
        assert_eq!(app.key(key).await.expect("it is known")["state"], "in_progress");
    }
    assert_eq!(app.charges(), 0);
}

pub async fn a_pay_request_goes_on_when_its_client_goes_away(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &latency!("300ms")).await;
    let gone = paying(&app, "k");
    app.until_key_is("k", "in_progress").await;
    gone.abort();
    let known = app.until_key_is("k", "completed").await;
    let answer = pay(&app, "k").await;
    assert_eq!(Value::from(is_paid(&answer, true)), known["payment_id"]);
    app.has_paid_once().await;
}
