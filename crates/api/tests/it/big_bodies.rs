//! Bodies that are too large, too slow or never complete.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;

use crate::app::{BODY, Database, TestApp};
use crate::wire;

const LIMIT: usize = 64 * 1024;
const HEADERS: [&str; 2] = ["Content-Type: application/json", "Idempotency-Key: k"];
const IMPATIENT: (&str, &str) = ("PAYONCE__SERVER__BODY_TIMEOUT", "300ms");

/// The contract's example, blown up by blanks.
fn padded(length: usize) -> Vec<u8> {
    let mut body = BODY.as_bytes().to_vec();
    body.resize(length, b' ');
    body
}

/// The key was not used up, and the service is well.
async fn nothing_happened(app: &TestApp) {
    assert_eq!(app.key("k").await, None);
    app.has_done_nothing().await;
    app.pay("k", BODY).await.is_first();
}

pub async fn a_body_of_the_limit_is_read_and_a_byte_more_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for length in [LIMIT + 1, 2 * LIMIT] {
        let refused = app.pay("k", padded(length)).await;
        refused.is_refused(413, "body_too_large");
    }
    assert_eq!(app.key("k").await, None);
    app.pay("k", padded(LIMIT)).await.is_first();
    app.pay("k", BODY).await.is_repeat();
    app.has_paid_once().await;
}

pub async fn a_length_over_the_limit_is_refused_before_the_body_is_sent(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for length in ["65537", "10485760", "18446744073709551615"] {
        let length = format!("Content-Length: {length}");
        let headers = [&HEADERS[..], &[length.as_str()]].concat();
        let mut wire = app.connect().await;
        wire.send(wire::request("POST /v1/payments", &headers, "")).await;
        wire.answer().await.is_refused(413, "body_too_large");
        wire.is_ended().await;
    }
    nothing_happened(&app).await;
}

pub async fn ten_megabytes_are_refused_while_they_are_sent(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let body = padded(10 * 1024 * 1024);
    for _ in 0..10 {
        let refused = app.pay("k", body.clone()).await;
        refused.is_refused(413, "body_too_large");
    }
    nothing_happened(&app).await;
}

pub async fn chunks_over_the_limit_are_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let headers = [&HEADERS[..], &["Transfer-Encoding: chunked"]].concat();
    let chunk = |body: &[u8]| [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat();
    let mut wire = app.connect().await;
    wire.send(wire::request("POST /v1/payments", &headers, "")).await;
    for _ in 0..64 {
        wire.send(chunk(&[b' '; 1024])).await;
    }
    wire.send(chunk(b"{")).await;
    wire.answer().await.is_refused(413, "body_too_large");
    assert_eq!(app.key("k").await, None);

    let mut wire = app.connect().await;
    wire.send(wire::request("POST /v1/payments", &headers, "")).await;
    for byte in BODY.as_bytes() {
        wire.send(chunk(&[*byte])).await;
    }
    wire.send("0\r\n\r\n").await.answer().await.is_first();
    app.has_paid_once().await;
}

pub async fn a_stalled_body_is_refused_in_time(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[IMPATIENT]).await;
    for sent in [BODY.len(), 1, 0] {
        let length = format!("Content-Length: {}", BODY.len() + 1);
        let headers = [&HEADERS[..], &[length.as_str()]].concat();
        let mut wire = app.connect().await;
        wire.send(wire::request("POST /v1/payments", &headers, &BODY[..sent])).await;
        wire.answer().await.is_refused(408, "body_timeout");
        wire.is_ended().await;
    }
    nothing_happened(&app).await;
}

pub async fn a_body_that_trickles_is_refused_in_time(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[IMPATIENT]).await;
    let headers = [&HEADERS[..], &["Content-Length: 60000"]].concat();
    let mut wire = app.connect().await;
    wire.send(wire::request("POST /v1/payments", &headers, "{")).await;
    let mut pause = interval(Duration::from_millis(20));
    let refused = loop {
        tokio::select! {
            answer = wire.answer() => break answer,
            _ = pause.tick() => {}
        }
        wire.try_send(" ").await;
    };
    refused.is_refused(408, "body_timeout");
    nothing_happened(&app).await;
}

pub async fn a_request_that_ends_too_early_executes_nothing(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let length = format!("Content-Length: {}", BODY.len() + 1);
    let headers = [&HEADERS[..], &[length.as_str()]].concat();
    let whole = wire::request("POST /v1/payments", &headers, BODY);
    for sent in [1, 20, whole.len() - BODY.len(), whole.len() - 1, whole.len()] {
        let mut cut_off = app.connect().await;
        cut_off.send(&whole[..sent]).await.finish_sending().await;
        if let Some(answer) = cut_off.try_answer().await {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        let mut closed = app.connect().await;
        closed.send(&whole[..sent]).await;
        closed.close();
        let mut reset = app.connect().await;
        reset.send(&whole[..sent]).await;
        reset.reset();
    }
    nothing_happened(&app).await;
}

pub async fn a_connection_whose_body_never_ends_is_closed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[IMPATIENT]).await;
    let headers = [&HEADERS[..], &["Transfer-Encoding: chunked"]].concat();
    for (head, status) in [
        (("POST", "/v1/payments"), 408),
        (("POST", "/nowhere"), 404),
        (("GET", "/v1/payments"), 200),
        (("POST", "/healthz"), 405),
    ] {
        let mut wire = app.connect().await;
        let line = format!("{} {}", head.0, head.1);
        wire.send(wire::request(&line, &headers, "1\r\n{\r\n")).await;
        wire.answer().await.is(status);
        wire.is_ended().await;
    }
}
