//! The format with a key and an opaque payload in its body.

use std::sync::Arc;

use futures_util::future::join_all;
use payonce_domain::idempotency::{AfterExpiry, Fingerprint, KeySpace, RecordId, StoredAnswer};
use payonce_domain::payment::PaymentId;
use payonce_domain::ports::StoreOpaque;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp};

/// The contract's own example.
const EXAMPLE: &str = r#"{"idempotency_id": "123", "request_data": "!whGRZ4q%B*x7x7uS"}"#;
const ANSWER: &str = r#"{"data":{"response_data":"!whGRZ4q%B*x7x7uS"},"message":"Success"}"#;
const PATH: &str = "/api/payment/v1/payments";

const SHORT: (&str, &str) = ("PAYONCE__IDEMPOTENCY__RETENTION", "1ms");
const REUSE: (&str, &str) = ("PAYONCE__IDEMPOTENCY__AFTER_EXPIRY", "reuse");

fn body(key: &str, data: &str) -> String {
    json!({"idempotency_id": key, "request_data": data}).to_string()
}

/// Sends the payload under that key.
async fn store(app: &TestApp, key: &str, data: &str) -> Answer {
    app.send(PATH, body(key, data)).await
}

#[track_caller]
fn is_stored_with(answer: &Answer, data: &str, is_replay: bool) {
    answer.is(201).is_stored(is_replay);
    let expected = json!({"data": {"response_data": data}, "message": "Success"});
    assert_eq!(answer.json(), expected);
}

pub async fn the_opaque_example_is_answered_word_for_word_and_replayed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let first = Answer::to(app.post(PATH).header("X-Request-Id", "one").body(EXAMPLE)).await;
    first.is(201).is_stored(false);
    assert_eq!(first.text(), ANSWER);
    assert_eq!(first.header("X-Request-Id"), Some("one"));
    let spellings = [
        EXAMPLE,
        r#"{"request_data":"!whGRZ4q%B*x7x7uS","idempotency_id":"123"}"#,
        "\n{ \"idempotency_id\" : \"\\u0031\\u00323\",\t\"request_data\":\"!whGRZ4q%B*x7x7uS\"} ",
    ];
    for path in [PATH, "/api/payment/v1/payments/"] {
        for spelling in spellings {
            let repeat = app.send(path, spelling).await;
            repeat.is(201).is_stored(true);
            assert_eq!(repeat.text(), ANSWER);
            assert_eq!(repeat.header("Original-Request-Id"), Some("one"));
        }
    }
    app.has_done_nothing().await;
}

pub async fn a_payload_comes_back_as_it_was_sent(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let long = "x".repeat(60_000);
    for (at, data) in
        [" ", "\u{0}", "a\nb", "\"\\/", "Zaun 🦀 „quoted“", "null", "{}", &long].iter().enumerate()
    {
        let key = format!("k{at}");
        is_stored_with(&store(&app, &key, data).await, data, false);
        is_stored_with(&store(&app, &key, data).await, data, true);
    }
}

pub async fn a_key_in_a_body_has_1_to_255_printable_characters(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let long = "ü".repeat(255);
    for key in ["k", "Schlüssel 7, der zweite", "\"quoted\"", "a,b", long.as_str()] {
        is_stored_with(&store(&app, key, "data").await, "data", false);
        is_stored_with(&store(&app, key, "data").await, "data", true);
    }
    // Case and blanks at the ends are the client's own.
    for key in ["K", " k", "k ", "quoted"] {
        is_stored_with(&store(&app, key, "data").await, "data", false);
    }
    let too_long = "k".repeat(256);
    for (key, rule) in [
        ("", "invalid_length"),
        (too_long.as_str(), "invalid_length"),
        ("   ", "invalid_characters"),
        ("a\u{0}", "invalid_characters"),
        ("a\nb", "invalid_characters"),
    ] {
        let refused = store(&app, key, "data").await;
        let named = ("body.idempotency_id".to_owned(), rule.to_owned());
        assert_eq!(refused.broken_rules(), [named], "{key:?}");
    }
}

pub async fn a_field_of_an_opaque_request_that_breaks_a_rule_is_named(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let id = |value: &str| format!(r#"{{"idempotency_id":{value},"request_data":"d"}}"#);
    let data = |value: &str| format!(r#"{{"idempotency_id":"k","request_data":{value}}}"#);
    let (id_place, data_place) = ("body.idempotency_id", "body.request_data");
    for (body, place, rule) in [
        (r#"{"request_data":"d"}"#.to_owned(), id_place, "required"),
        (r#"{"idempotency_id":"k"}"#.to_owned(), data_place, "required"),
        (id("null"), id_place, "required"),
        (data("null"), data_place, "required"),
        (id("\"\""), id_place, "invalid_length"),
        (data("\"\""), data_place, "invalid_length"),
        (id("7"), id_place, "invalid_type"),
        (data("7"), data_place, "invalid_type"),
        (data("{}"), data_place, "invalid_type"),
        (data("[\"d\"]"), data_place, "invalid_type"),
        (id("true"), id_place, "invalid_type"),
        (data("\"\\ud800\""), data_place, "invalid_string"),
        (data("NaN"), data_place, "malformed"),
        (data("\"d\",\"request_data\":\"d\""), data_place, "duplicate_field"),
        (data("\"d\",\"amount\":1"), "body.amount", "unknown_field"),
        (data("\"d\",\"Request_data\":\"d\""), "body.Request_data", "unknown_field"),
    ] {
        let refused = app.send(PATH, body.clone()).await;
        let named = (place.to_owned(), rule.to_owned());
        assert_eq!(refused.broken_rules(), [named], "{body}");
        assert_eq!(app.key("k").await, None, "{body}");
    }
    let all = app.send(PATH, r#"{"idempotency_id":"","request_data":1,"x":2}"#).await;
    let mut places: Vec<_> = all.broken_rules().into_iter().map(|(place, _)| place).collect();
    places.sort();
    assert_eq!(places, [id_place, data_place, "body.x"]);
    is_stored_with(&store(&app, "k", "d").await, "d", false);
}

pub async fn what_cannot_be_read_is_refused_in_the_opaque_form(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for body in ["", "null", "[]", "\"123\"", "{", "{\"idempotency_id\":\"123\"", "a=b"] {
        let refused = app.send(PATH, body).await;
        let named = ("body".to_owned(), "malformed_body".to_owned());
        assert_eq!(refused.broken_rules(), [named], "{body}");
    }
    let plain = app.request(Method::POST, PATH).header("Content-Type", "text/plain");
    Answer::to(plain.body(EXAMPLE)).await.is_detail(415);
    Answer::to(app.request(Method::POST, PATH).body(EXAMPLE)).await.is_detail(415);
    store(&app, "123", &"x".repeat(70_000)).await.is_detail(413);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        for path in [PATH, "/api/payment/v1/payments/"] {
            let refused = Answer::to(app.request(method.clone(), path)).await;
            refused.is_detail(405);
            assert_eq!(refused.header("Allow"), Some("POST"));
        }
    }
    assert_eq!(app.key("123").await, None);
    app.send(PATH, EXAMPLE).await.is(201).is_stored(false);
}

pub async fn other_data_under_a_known_key_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    is_stored_with(&store(&app, "k", "one").await, "one", false);
    for other in ["two", "One", "one ", "o"] {
        let words = store(&app, "k", other).await.is_detail(422);
        assert!(!words.contains("one"), "what was stored is nobody's business: {words}");
    }
    is_stored_with(&store(&app, "k", "one").await, "one", true);
    is_stored_with(&store(&app, "another", "two").await, "two", false);
}

pub async fn of_fifty_opaque_requests_at_once_one_is_stored(database: Arc<Database>) {
    let apps = [TestApp::spawn(&database, &[]).await, TestApp::spawn(&database, &[]).await];
    for round in 0..4 {
        let key = format!("k{round}");
        // Two rounds agree about the data, two do not.
        let differ = round % 2 == 1;
        let data = |at: usize| if differ && at % 2 == 1 { "odd" } else { "even" };
        let requests = (0..50).map(|at| {
            let request = apps[at / 2 % 2].post(PATH).body(body(&key, data(at)));
            tokio::spawn(Answer::to(request))
        });
        let answers = join_all(requests.collect::<Vec<_>>()).await;
        let answers: Vec<_> = answers.into_iter().map(|it| it.expect("no panic")).collect();
        let firsts: Vec<_> = answers
            .iter()
            .enumerate()
            .filter(|(_, it)| it.header("Idempotent-Replayed") == Some("false"))
            .collect();
        assert_eq!(firsts.len(), 1, "{answers:?}");
        let winner = data(firsts[0].0);
        for (at, answer) in answers.iter().enumerate() {
            if data(at) == winner {
                is_stored_with(answer, winner, at != firsts[0].0);
                assert_eq!(answer.body, firsts[0].1.body);
            } else {
                answer.is_detail(422);
            }
        }
    }
    apps[0].has_done_nothing().await;
}

pub async fn an_expired_opaque_key_is_refused_in_the_documented_words(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[SHORT]).await;
    is_stored_with(&store(&app, "k", "one").await, "one", false);
    app.until_key_is("k", "expired").await;
    for data in ["one", "two"] {
        for path in [PATH, "/api/payment/v1/payments/"] {
            let refused = app.send(path, body("k", data)).await;
            assert_eq!(refused.is(409).text(), r#"{"detail":"Resource already exists"}"#);
            assert_eq!(refused.header("Content-Type"), Some("application/json"));
        }
    }
    assert_eq!(app.key("k").await.expect("it is known")["state"], "expired");
}

pub async fn an_expired_opaque_key_is_overwritten_where_the_operator_says_so(
    database: Arc<Database>,
) {
    let short = TestApp::spawn(&database, &[SHORT]).await;
    is_stored_with(&store(&short, "k", "one").await, "one", false);
    short.until_key_is("k", "expired").await;
    let app = TestApp::spawn(&database, &[REUSE]).await;
    is_stored_with(&store(&app, "k", "two").await, "two", false);
    is_stored_with(&store(&app, "k", "two").await, "two", true);
    store(&app, "k", "one").await.is_detail(422);
    assert_eq!(app.key("k").await.expect("it is known")["state"], "completed");
}

pub async fn an_opaque_key_that_is_not_expired_is_never_overwritten(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[REUSE]).await;
    is_stored_with(&store(&app, "k", "one").await, "one", false);
    store(&app, "k", "two").await.is_detail(422);
    is_stored_with(&store(&app, "k", "one").await, "one", true);
}

pub async fn an_opaque_key_shows_its_state_and_no_payment(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    assert_eq!(app.key("k").await, None);
    store(&app, "k", "a secret").await.is(201);
    let known = app.key("k").await.expect("it is known");
    assert_eq!((&known["key"], &known["state"]), (&json!("k"), &json!("completed")));
    assert_eq!((&known["payment"], &known["payment_id"]), (&Value::Null, &Value::Null));
    assert!(known["expires_at"].is_string(), "{known}");
    assert!(!known.to_string().contains("secret"), "{known}");
    app.get("/v1/payments?idempotency_key=k").await.is(200);
    app.has_done_nothing().await;
}

pub async fn an_expired_key_changes_hands_between_formats_only_where_it_is_reused(
    database: Arc<Database>,
) {
    let refusing = TestApp::spawn(&database, &[SHORT]).await;
    let reusing = TestApp::spawn(&database, &[SHORT, REUSE]).await;
    store(&refusing, "k", "one").await.is(201);
    refusing.until_key_is("k", "expired").await;
    let refused = refusing.pay("k", BODY).await;
    let problem = refused.is_refused(422, "idempotency_key_expired");
    assert_eq!(problem.get("payment"), None, "there is none");
    refusing.has_done_nothing().await;

    // From payload to payment, and back, and on to the key's second payment.
    let mut paid = Vec::new();
    for round in 0..2 {
        let answer = reusing.pay("k", BODY).await;
        answer.is_first();
        paid.push(answer.id());
        assert_eq!(reusing.charges(), round + 1);
        let known = reusing.until_key_is("k", "expired").await;
        assert_eq!(known["payment_id"], answer.id());
        let refused = store(&refusing, "k", "two").await;
        assert_eq!(refused.is(409).text(), r#"{"detail":"Resource already exists"}"#);
        is_stored_with(&store(&reusing, "k", "two").await, "two", false);
        let known = reusing.until_key_is("k", "expired").await;
        assert_eq!(known["payment_id"], Value::Null);
    }
    let listed = reusing.payments().await.into_iter().map(|it| it["id"].clone());
    assert_eq!(listed.rev().collect::<Vec<_>>(), paid);
}

pub async fn a_record_of_a_newer_version_is_left_alone_for_now(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let fingerprint =
        Fingerprint { version: Fingerprint::CURRENT_VERSION + 1, ..Fingerprint::of(&[]) };
    let newer = StoreOpaque {
        record: RecordId {
            account: "default".parse().expect("an account"),
            space: KeySpace::Key,
            key: "k".parse().expect("a key"),
        },
        fingerprint,
        request_id: "newer".parse().expect("an id"),
        candidate: PaymentId(Uuid::new_v4()),
        answer: StoredAnswer {
            status: 201,
            content_type: "application/json".to_owned(),
            location: None,
            body: "{}".into(),
        },
        retention: std::time::Duration::from_secs(3600),
        after_expiry: AfterExpiry::Refuse,
    };
    app.store.opaque.store(newer).await.expect("it is stored");
    let refused = store(&app, "k", "data").await;
    refused.is_detail(503);
    assert_eq!(refused.header("Retry-After"), Some("1"));
    let refused = app.pay("k", BODY).await;
    refused.is_refused(503, "version_not_supported");
    assert_eq!(refused.header("Retry-After"), Some("1"));
}
