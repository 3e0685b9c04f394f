//! What is a key, and what is known of it.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::Value;
use time::Duration;

use crate::answer::{Answer, utc};
use crate::app::{BODY, Database, TestApp};
use crate::elsewhere::Elsewhere;
use crate::wire;

pub async fn a_key_that_breaks_the_rules_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let too_long = "k".repeat(256);
    let too_long_quoted = format!("\"{too_long}\"");
    let broken: [&[u8]; 25] = [
        b"",
        b" ",
        b"\t \t",
        b"\"\"",
        b"\" \"",
        too_long.as_bytes(),
        too_long_quoted.as_bytes(),
        b"two words",
        b"a\tb",
        b"\"two words\"",
        "schl\u{fc}ssel".as_bytes(),
        "\"schl\u{fc}ssel\"".as_bytes(),
        b"\xff\xfe",
        b"\"abc",
        b"abc\"",
        b"\"",
        b"a\"b",
        b"\"a\"b",
        b"\"a\\x\"",
        b"\"abc\";p=1",
        b"\"a\" \"b\"",
        b"k1, k2",
        b"k1,k2",
        b"\"k1\", \"k2\"",
        b",",
    ];
    for key in broken {
        let value = HeaderValue::from_bytes(key).expect("it can be sent");
        let request = app.post("/v1/payments").header("Idempotency-Key", value).body(BODY);
        let refused = Answer::to(request).await;
        let problem = refused.is_refused(400, "idempotency_key_invalid");
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.contains("key"), "{}: {detail}", key.escape_ascii());
        assert_eq!(refused.header("Idempotency-Expires"), None);
    }
    app.has_done_nothing().await;
}

pub async fn a_key_with_a_control_character_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for key in ["a\0b", "a\u{1}b", "a\u{1f}b", "a\u{7f}b", "a\rb", "\"a\u{1}b\""] {
        let mut wire = app.connect().await;
        let header = format!("Idempotency-Key: {key}");
        wire.send(wire::payment(&[&header], BODY)).await.answer().await.is(400);
    }
    app.has_done_nothing().await;
}

pub async fn a_key_has_up_to_255_characters(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let longest = "k".repeat(255);
    let every_character: String = ('!'..='~').filter(|one| !"\",".contains(*one)).collect();
    for key in ["k", &longest, &every_character] {
        app.pay(key, BODY).await.is_first();
        app.pay(key, BODY).await.is_repeat();
    }
    assert_eq!(app.charges(), 3);
}

pub async fn a_request_without_a_key_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for path in ["/payments", "/payments/", "/v1/payments", "/v1/payments/"] {
        let missing = Answer::to(app.post(path).body(BODY)).await;
        missing.is_refused(400, "idempotency_key_missing");
        let misnamed = app.post(path).header("X-Idempotency-Key", "k").body(BODY);
        let problem = Answer::to(misnamed).await.is_refused(400, "idempotency_key_missing");
        assert!(problem["detail"].as_str().expect("a text").contains(" Idempotency-Key"));
    }
    app.has_done_nothing().await;
    app.pay("k", BODY).await.is_first();
}

pub async fn a_repeated_key_header_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for second in ["k", "other", "\"k\"", ""] {
        let request = app.payment("k", BODY).header("Idempotency-Key", second);
        Answer::to(request).await.is_refused(400, "idempotency_key_invalid");
    }
    let lines = ["Idempotency-Key: k", "IDEMPOTENCY-KEY: k"];
    let mut wire = app.connect().await;
    let refused = wire.send(wire::payment(&lines, BODY)).await.answer().await;
    refused.is_refused(400, "idempotency_key_invalid");
    app.has_done_nothing().await;
}

pub async fn the_key_header_has_any_case(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    app.pay("k", BODY).await.is_first();
    for line in ["idempotency-key: k", "IDEMPOTENCY-KEY:k", "iDeMpOtEnCy-KeY: \t k \t"] {
        let mut wire = app.connect().await;
        wire.send(wire::payment(&[line], BODY)).await.answer().await.is_repeat();
    }
    app.has_paid_once().await;
}

pub async fn a_bare_and_a_quoted_key_are_one_key(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for (bare, quoted) in [("abc", "\"abc\""), (r"a\b", r#""a\\b""#)] {
        let first = app.pay(bare, BODY).await;
        first.is_first();
        let repeat = app.pay(quoted, BODY).await;
        repeat.is_repeat();
        assert_eq!(repeat.text(), first.text());
        assert_eq!(repeat.header("Idempotency-Key"), Some(quoted));
        app.pay(quoted, r#"{"amount":7}"#).await.is_refused(422, "idempotency_key_reused");
    }
    app.pay(r#""a\"b,c""#, BODY).await.is_first();
    assert_eq!(app.key("a%22b,c").await.expect("it is known")["key"], "a\"b,c");
    assert_eq!(app.charges(), 3);
}

pub async fn a_key_is_case_sensitive(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for key in ["abc", "ABC", "Abc"] {
        app.pay(key, BODY).await.is_first();
    }
    assert_eq!(app.charges(), 3);
}

pub async fn a_key_on_a_request_that_only_reads_is_ignored(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let paid = app.pay("k", BODY).await;
    let location = paid.header("Location").expect("where it is").to_owned();
    for path in ["/v1/payments", location.as_str(), "/v1/idempotency-keys/k", "/healthz"] {
        let plain = app.get(path).await;
        for key in ["k", "fresh", "not a key", ""] {
            let read = app.request(Method::GET, path).header("Idempotency-Key", key);
            let answer = Answer::to(read).await;
            assert_eq!(answer.is(200).text(), plain.text(), "{path}");
            for name in ["Idempotency-Key", "Idempotent-Replayed", "Idempotency-Expires"] {
                assert_eq!(answer.header(name), None, "{path}: {name}");
            }
        }
    }
    assert_eq!(app.key("fresh").await, None);
    app.has_paid_once().await;
}

pub async fn a_key_shows_what_is_known_of_it(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    assert_eq!(app.key("k").await, None);
    let running = Elsewhere::opens_a_payment(&app, "k").await;
    let known = app.key("k").await.expect("it is known");
    assert_eq!(known["state"], "in_progress");
    assert_eq!(known["payment_id"], running.payment());
    assert_eq!(known["expires_at"], Value::Null);
    running.settles().await;

    let repeat = app.pay("k", BODY).await;
    repeat.is_repeat();
    let known = app.key("k").await.expect("it is known");
    assert_eq!(known["key"], "k");
    assert_eq!(known["state"], "completed");
    assert_eq!(known["payment_id"], running.payment());
    assert_eq!(known["payment"], format!("/v1/payments/{}", running.payment()));
    assert_eq!(known["expires_at"].as_str(), repeat.header("Idempotency-Expires"));
    let time = |field: &str| utc(known[field].as_str().expect("a time"));
    assert!(time("first_seen_at") <= time("last_seen_at"));
    assert!(time("expires_at") - time("first_seen_at") >= Duration::DAY);
    let stored = ["COMPLETED", "100.00", "answer", "body", "fingerprint"];
    let shown = app.get("/v1/idempotency-keys/k").await.text();
    assert!(stored.iter().all(|word| !shown.contains(word)), "{shown}");
}

pub async fn every_key_can_be_looked_up(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for (key, path) in [
        ("order-42", "order-42"),
        ("a/b", "a%2Fb"),
        ("a//b/", "a%2F%2Fb%2F"),
        ("a?b#c", "a%3Fb%23c"),
        ("100%25", "100%2525"),
        ("a+b", "a+b"),
        ("a&b=c;d", "a&b=c;d"),
    ] {
        assert_eq!(app.key(path).await, None, "{key}");
        let paid = app.pay(key, BODY).await;
        paid.is_first();
        let known = app.key(path).await.unwrap_or_else(|| panic!("{key} is not known"));
        assert_eq!(known["key"], key);
        assert_eq!(known["payment_id"], paid.id());
    }
}

pub async fn checks_run_in_the_documented_order(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[("PAYONCE__SERVER__BODY_LIMIT", "64B")]).await;
    app.pay("known", BODY).await.is_first();
    let no_json = "x".repeat(65);
    let too_large = app.post("/v1/payments").body(no_json);
    Answer::to(too_large).await.is_refused(413, "body_too_large");
    let no_type = app.request(Method::POST, "/v1/payments").body("no JSON");
    Answer::to(no_type).await.is_refused(415, "unsupported_media_type");
    let no_key = app.post("/v1/payments").body("no JSON");
    Answer::to(no_key).await.is_refused(400, "idempotency_key_missing");
    app.pay("not a key", "no JSON").await.is_refused(400, "idempotency_key_invalid");
    app.pay("known", "no JSON").await.is_refused(400, "malformed_body");
    app.pay("known", r#"{"amount":-1}"#).await.is_refused(400, "validation_failed");
    app.pay("known", r#"{"amount":7}"#).await.is_refused(422, "idempotency_key_reused");
    app.pay("known", BODY).await.is_repeat();
    app.has_paid_once().await;
}
