//! `Prefer: respond-async`: what a client is told before a worker has paid. No worker runs here.

use std::sync::Arc;

use serde_json::Value;

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp};

async fn prefer(app: &TestApp, preference: &'static str) -> Answer {
    Answer::to(app.payment("k", BODY).header("Prefer", preference)).await
}

pub async fn an_accepted_payment_is_pending_and_nobody_has_paid_it(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let accepted = prefer(&app, "respond-async").await;
    accepted.is(202).is_replay(false);
    assert_eq!(accepted.header("Preference-Applied"), Some("respond-async"));
    assert_eq!(accepted.header("Content-Type"), Some("application/json"));
    let location = accepted.header("Location").expect("where it is");
    assert_eq!(location, format!("/v1/payments/{}", accepted.id()));
    let wait = accepted.header("Retry-After").expect("when to come again");
    assert!(wait.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{wait}");
    assert_eq!(accepted.header("Idempotency-Expires"), None, "it is not stored");

    let payment = accepted.json();
    assert_eq!(payment["status"], "PROCESSING");
    assert_eq!(payment["attempts"], 0);
    for unknown in ["gateway_reference", "failure", "completed_at"] {
        assert_eq!(payment[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(app.get(location).await.is(200).json(), payment);
    assert_eq!(app.events(&accepted.id()).await, ["created by request"]);
    assert_eq!(app.key("k").await.expect("it is known")["state"], "in_progress");
    assert_eq!(app.charges(), 0);
}

pub async fn a_duplicate_of_an_accepted_payment_gets_its_state(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let accepted = prefer(&app, "respond-async").await;
    for preference in ["", "wait=3600", "wait=0", "respond-async"] {
        let duplicate = prefer(&app, preference).await;
        duplicate.is(202).is_replay(false);
        assert_eq!(duplicate.text(), accepted.text());
        assert_eq!(duplicate.header("Location"), accepted.header("Location"));
        let applied = (preference == "respond-async").then_some("respond-async");
        assert_eq!(duplicate.header("Preference-Applied"), applied);
    }
    let other = app.pay("k", r#"{"amount":7}"#).await;
    other.is_refused(422, "idempotency_key_reused");
    other.links(&accepted.id());
    let restarted = TestApp::spawn(&database, &[]).await;
    assert_eq!(restarted.pay("k", BODY).await.is(202).text(), accepted.text());
    assert_eq!(app.payments().await.len(), 1);
    assert_eq!(app.charges() + restarted.charges(), 0);
}

pub async fn a_stored_answer_is_replayed_whatever_is_preferred(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let paid = app.pay("k", BODY).await;
    paid.is_first();
    let replay = prefer(&app, "respond-async").await;
    assert_eq!(replay.is_repeat().text(), paid.text());
    assert_eq!(replay.header("Preference-Applied"), None);
    app.has_paid_once().await;
}
