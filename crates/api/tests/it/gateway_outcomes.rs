//! What the gateway makes of a payment, and what is stored of it.

use std::sync::Arc;

use payonce_domain::gateway::{GatewayKey, GatewayKeySecret};
use payonce_domain::idempotency::{Generation, KeySpace, RecordId};
use payonce_domain::ports::{ChargeLedger, LedgerCharge, LedgerEntry};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::app::{BODY, Database, KEY_SECRET, TestApp};
use crate::latency;

const DECLINES: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__DECLINE_RATE", "1");
const FAILS: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "1");
const FAILS_OFTEN: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "0.6");
const SEED: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__SEED", "7");

/// What the gateway knows of the first payment of a client's key.
async fn entry_of(app: &TestApp, key: &str) -> Option<LedgerEntry> {
    app.ledger.find(gateway_key(key)).await.expect("books in memory")
}

/// The same, where it is a charge.
async fn charge_of(app: &TestApp, key: &str) -> Arc<LedgerCharge> {
    match entry_of(app, key).await {
        Some(LedgerEntry::Charge(charge)) => charge,
        other => panic!("no charge: {other:?}"),
    }
}

fn gateway_key(key: &str) -> GatewayKey {
    let record = RecordId {
        account: "default".parse().expect("an account"),
        space: KeySpace::Key,
        key: key.parse().expect("a key"),
    };
    GatewayKeySecret::new(KEY_SECRET.as_bytes()).derive(&record, Generation::FIRST)
}

/// The failure is final: it is replayed, and the payment shows it.
async fn is_final(app: &TestApp, failed: &Answer, failure: &Value) -> Value {
    let problem = failed.is_replay(false).json();
    assert_eq!(problem["safe_new_key"], true, "{problem}");
    let location = failed.header("Location").expect("where it is");
    assert_eq!(problem["payment"], location);
    assert!(failed.header("Idempotency-Expires").is_some());
    let repeat = Answer::to(app.payment("k", BODY).header("X-Request-Id", "again")).await;
    repeat.is(failed.status).is_replay(true);
    assert_eq!(repeat.text(), failed.text());
    for name in ["Content-Type", "Location", "Idempotency-Expires"] {
        assert_eq!(repeat.header(name), failed.header(name), "{name}");
    }
    assert_eq!(repeat.header("Original-Request-Id"), failed.header("X-Request-Id"));
    app.pay("k", r#"{"amount":7}"#).await.is_refused(422, "idempotency_key_reused");

    let payment = app.get(location).await.is(200).json();
    assert_eq!(payment["status"], "FAILED");
    assert_eq!(&payment["failure"], failure);
    assert!(payment["completed_at"].is_string(), "{payment}");
    assert_eq!(app.payments().await, std::slice::from_ref(&payment));
    assert_eq!(app.charges(), 0);
    assert_eq!(app.key("k").await.expect("it is known")["state"], "completed");
    payment
}

pub async fn an_approved_charge_is_the_payments(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let body = r#"{"amount":12.5,"currency":"EUR","payment_method":"tok"}"#;
    let paid = app.pay("k", body).await.is_first().json();
    let charge = charge_of(&app, "k").await;
    assert_eq!(paid["gateway_reference"], json!(charge.id));
    assert_eq!(charge.contents.amount, "12.50");
    assert_eq!(charge.contents.currency, "EUR");
    assert_eq!(charge.contents.payment_method.as_deref(), Some("tok"));
    assert_eq!(charge.reference.as_deref(), paid["id"].as_str());
    assert_eq!(charge.decline_code, None);
}

pub async fn a_decline_is_stored_and_replayed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[DECLINES]).await;
    let declined = app.pay("k", BODY).await;
    let problem = declined.is_problem(402, "payment_declined");
    assert_eq!(problem["decline_code"], "card_declined");
    let failure = json!({"code": "payment_declined", "decline_code": "card_declined"});
    let payment = is_final(&app, &declined, &failure).await;
    assert_eq!(payment["attempts"], 1);
    let charge = charge_of(&app, "k").await;
    assert_eq!(charge.decline_code.as_deref(), Some("card_declined"));
    assert_eq!(payment["gateway_reference"], json!(charge.id));
}

pub async fn a_failure_is_stored_and_replayed_and_its_key_is_burnt(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[FAILS]).await;
    let failed = app.pay("k", BODY).await;
    failed.is_problem(502, "gateway_error");
    let failure = json!({"code": "gateway_error", "decline_code": null});
    let payment = is_final(&app, &failed, &failure).await;
    assert_eq!(payment["attempts"], 3);
    assert_eq!(payment["gateway_reference"], Value::Null);
    assert_eq!(entry_of(&app, "k").await, Some(LedgerEntry::Voided));
    let events = app.events(payment["id"].as_str().expect("an id")).await;
    assert_eq!(events.first().map(String::as_str), Some("created by request"));
    assert_eq!(events.iter().filter(|it| *it == "attempt by request").count(), 3);
    assert_eq!(events.last().map(String::as_str), Some("failed by request"));
    assert!(events.contains(&"void_intended by request".to_owned()), "{events:?}");
}

pub async fn replays_need_no_gateway(database: Arc<Database>) {
    let well = TestApp::spawn(&database, &[]).await;
    let paid = well.pay("k", BODY).await;
    paid.is_first();
    let [min, max] = latency!("1h");
    for broken in [vec![FAILS], vec![DECLINES], vec![min, max]] {
        let app = TestApp::spawn(&database, &broken).await;
        let repeat = app.pay("k", BODY).await;
        assert_eq!(repeat.is_repeat().text(), paid.text());
    }
}

pub async fn a_failed_payment_is_tried_anew_under_another_key(database: Arc<Database>) {
    let failing = TestApp::spawn(&database, &[FAILS]).await;
    let failed = failing.pay("k", BODY).await;
    failed.is_problem(502, "gateway_error");
    let well = TestApp::spawn(&database, &[]).await;
    let repeat = well.pay("k", BODY).await;
    assert_eq!(repeat.is(502).is_replay(true).text(), failed.text());
    assert_eq!(well.charges(), 0);
    well.pay("another", BODY).await.is_first();
    assert_eq!(well.charges(), 1);
}

pub async fn an_unreliable_gateway_charges_what_is_completed_and_nothing_else(
    database: Arc<Database>,
) {
    let app = TestApp::spawn(&database, &[FAILS_OFTEN, SEED]).await;
    let mut completed = 0;
    for at in 0..40 {
        let key = format!("k{at}");
        let answer = app.pay(&key, BODY).await;
        if answer.status == 201 {
            completed += 1;
            answer.is_first();
            assert_eq!(charge_of(&app, &key).await.decline_code, None);
        } else {
            answer.is_problem(502, "gateway_error");
            assert_eq!(entry_of(&app, &key).await, Some(LedgerEntry::Voided));
        }
        let repeat = app.pay(&key, BODY).await;
        assert_eq!(repeat.is_replay(true).text(), answer.text());
        assert_eq!(app.charges(), completed);
    }
    assert!((1..40).contains(&completed), "{completed} of 40");
}

pub async fn an_unknown_outcome_is_pending_and_never_final(database: Arc<Database>) {
    let [min, max] = latency!("1h");
    let variables = [
        min,
        max,
        ("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "50ms"),
        ("PAYONCE__GATEWAY__DEADLINE", "2s"),
    ];
    let app = TestApp::spawn(&database, &variables).await;
    let pending = app.pay("k", BODY).await;
    pending.is(202).is_replay(false);
    let payment = pending.json();
    assert_eq!(payment["status"], "PROCESSING");
    assert_eq!(payment["gateway_reference"], Value::Null);
    assert_eq!(payment["completed_at"], Value::Null);
    let location = format!("/v1/payments/{}", pending.id());
    assert_eq!(pending.header("Location"), Some(location.as_str()));
    assert!(pending.header("Retry-After").is_some_and(|wait| wait.parse::<u64>().is_ok()));
    assert_eq!(pending.header("Idempotency-Expires"), None, "it is not stored");

    assert_eq!(app.get(&location).await.is(200).json()["status"], "PROCESSING");
    assert_eq!(app.key("k").await.expect("it is known")["state"], "in_progress");
    let repeat = app.pay("k", BODY).await;
    repeat.is(202).is_replay(false);
    assert_eq!(repeat.header("Location"), Some(location.as_str()));
    app.pay("k", r#"{"amount":7}"#).await.is_refused(422, "idempotency_key_reused");
    assert_eq!(app.payments().await.len(), 1);
    assert_eq!(app.charges(), 0);
}

pub async fn each_way_of_breaking_ends_in_what_the_books_show(database: Arc<Database>) {
    const SOON: [(&str, &str); 2] =
        [("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "100ms"), ("PAYONCE__IDEMPOTENCY__LEASE", "12s")];
    for (mode, status, charges) in [
        ("fail_before", 502, 0),
        ("charge_then_timeout", 201, 1),
        ("charge_then_reset", 201, 1),
        ("error_after_charge", 201, 1),
        ("malformed", 201, 1),
        ("wrong_amount", 201, 1),
        ("not_executed_429", 502, 0),
        ("decline", 402, 0),
        // It voids what it cannot find, and the late charge meets a burnt key.
        ("slow", 502, 0),
    ] {
        let mode_set = [("PAYONCE__GATEWAY__SIMULATED__MODE", mode)];
        let app = TestApp::spawn(&database, &[SOON.as_slice(), &mode_set].concat()).await;
        let ended = app.pay(mode, BODY).await;
        assert_eq!((ended.status, app.charges()), (status, charges), "{mode}: {ended:?}");
        assert_eq!(app.pay(mode, BODY).await.is_replay(true).text(), ended.text(), "{mode}");
    }
}
