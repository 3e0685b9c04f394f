//! A client that goes away does not stop a payment that has begun.

use std::sync::Arc;

use crate::app::{BODY, Database, TestApp, eventually};
use crate::elsewhere::Elsewhere;
use crate::latency;
use crate::wire::{self, Wire};

/// How a client goes away.
type GoAway = fn(Wire);

/// Longer than the test lives, so that nobody else finishes what the first request began.
const LEASE: (&str, &str) = ("PAYONCE__IDEMPOTENCY__LEASE", "1h");

async fn goes_on_without_its_client(database: Arc<Database>, go_away: GoAway) {
    let [min, max] = latency!("500ms");
    let app = TestApp::spawn(&database, &[min, max, LEASE]).await;
    let mut wire = app.connect().await;
    wire.send(wire::payment(&["Idempotency-Key: k", "X-Request-Id: gone"], BODY)).await;
    let known = app.until_key_is("k", "in_progress").await;
    go_away(wire);
    app.until_key_is("k", "completed").await;
    let paid = app.has_paid_once().await;
    assert_eq!(paid["status"], "COMPLETED");
    assert_eq!(paid["id"], known["payment_id"]);
    let events = app.events(paid["id"].as_str().expect("an id")).await;
    assert_eq!(events, ["created by request", "attempt by request", "completed by request"]);
    let repeat = app.pay("k", BODY).await;
    assert_eq!(repeat.is_repeat().json(), paid);
    assert_eq!(repeat.header("Original-Request-Id"), Some("gone"));
}

pub async fn a_payment_goes_on_when_its_client_resets_the_connection(database: Arc<Database>) {
    goes_on_without_its_client(database, Wire::reset).await;
}

pub async fn a_payment_goes_on_when_its_client_closes_the_connection(database: Arc<Database>) {
    goes_on_without_its_client(database, Wire::close).await;
}

pub async fn a_crowd_that_goes_away_leaves_one_payment(database: Arc<Database>) {
    let [min, max] = latency!("500ms");
    let app = TestApp::spawn(&database, &[min, max, LEASE]).await;
    let request = wire::payment(&["Idempotency-Key: k"], BODY);
    let mut crowd = Vec::new();
    for _ in 0..20 {
        let mut wire = app.connect().await;
        wire.send(&request).await;
        crowd.push(wire);
    }
    app.until_key_is("k", "in_progress").await;
    crowd.into_iter().for_each(Wire::reset);
    app.until_key_is("k", "completed").await;
    app.has_paid_once().await;
    app.pay("k", BODY).await.is_repeat();
}

pub async fn who_waits_and_goes_away_gives_the_place_back(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let running = Elsewhere::opens_a_payment(&app, "k").await;
    let mut wire = app.connect().await;
    wire.send(wire::payment(&["Idempotency-Key: k", "Prefer: wait=3600"], BODY)).await;
    eventually("it waits", async || (app.waiters.waiting() == 1).then_some(())).await;
    wire.reset();
    eventually("it waits no more", async || (app.waiters.waiting() == 0).then_some(())).await;
    assert!(running.settles().await);
    assert_eq!(app.pay("k", BODY).await.is_repeat().id(), running.payment());
}

pub async fn a_request_that_takes_too_long_is_told_so_and_goes_on(database: Arc<Database>) {
    let [min, max] = latency!("1s");
    let impatient = ("PAYONCE__SERVER__REQUEST_TIMEOUT", "200ms");
    let app = TestApp::spawn(&database, &[min, max, impatient, LEASE]).await;
    let late = app.pay("k", BODY).await;
    late.is_refused(503, "request_timeout");
    assert!(late.header("Retry-After").is_some());
    app.until_key_is("k", "completed").await;
    app.pay("k", BODY).await.is_repeat();
    app.has_paid_once().await;
}
