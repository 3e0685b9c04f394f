//! One payment, from the request to its answer and its replay.

use std::sync::Arc;

use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use time::Duration;

use crate::answer::{Answer, utc, uuid_v7};
use crate::app::{BODY, Database, TestApp};

pub async fn the_documented_example_is_answered_word_for_word(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let request = app.post("/payments").header("Idempotency-Key", "order-42").body(BODY);
    let answer = Answer::to(request).await;
    answer.is_first();
    let payment = answer.json();
    let text = |field: &str| payment[field].as_str().expect("a text").to_owned();
    let (id, reference) = (text("id"), text("gateway_reference"));
    let (created_at, completed_at) = (text("created_at"), text("completed_at"));
    let documented = format!(
        "{{\"id\":\"{id}\",\"status\":\"COMPLETED\",\"amount\":\"100.00\",\"currency\":\"USD\",\
         \"payment_method\":null,\"reference\":null,\"description\":null,\"metadata\":{{}},\
         \"gateway\":\"simulated\",\"gateway_reference\":\"{reference}\",\"attempts\":1,\
         \"failure\":null,\"created_at\":\"{created_at}\",\"completed_at\":\"{completed_at}\"}}"
    );
    assert_eq!(answer.text(), documented);
    uuid_v7(&id);
    assert!(!reference.is_empty());
    assert!(utc(&created_at) <= utc(&completed_at));

    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("Location"), Some(format!("/v1/payments/{id}").as_str()));
    assert_eq!(answer.header("Idempotency-Key"), Some("order-42"));
    let expires = utc(answer.header("Idempotency-Expires").expect("when it expires"));
    let retained = expires - utc(&completed_at);
    assert!((retained - Duration::DAY).abs() < Duration::MINUTE, "kept for {retained}");
    uuid_v7(answer.header("X-Request-Id").expect("its request's id"));
    app.has_paid_once().await;
}

pub async fn a_sane_request_id_is_echoed_and_any_other_is_replaced(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let longest = "r".repeat(128);
    for sane in ["req-1", "A.b_C-9", longest.as_str()] {
        let read = app.request(reqwest::Method::GET, "/v1/payments").header("X-Request-Id", sane);
        assert_eq!(Answer::to(read).await.is(200).header("X-Request-Id"), Some(sane));
        let refused = Answer::to(app.post("/nowhere").header("X-Request-Id", sane)).await;
        refused.is_problem(404, "route_not_found");
        assert_eq!(refused.header("X-Request-Id"), Some(sane));
    }
    let too_long = "r".repeat(129);
    let others: [&[u8]; 7] = [
        b"",
        b"two words",
        b"<script>",
        b"a\"b",
        "sch\u{f6}n".as_bytes(),
        b"\xff\xfe",
        too_long.as_bytes(),
    ];
    for garbage in others {
        let garbage = HeaderValue::from_bytes(garbage).expect("it can be sent");
        let read = app.request(reqwest::Method::GET, "/v1/payments");
        let answer = Answer::to(read.header("X-Request-Id", garbage)).await;
        uuid_v7(answer.is(200).header("X-Request-Id").expect("an id of the service's own"));
    }
    let [one, other] = [app.get("/healthz").await, app.get("/healthz").await];
    assert_ne!(one.header("X-Request-Id"), other.header("X-Request-Id"));
}

pub async fn a_replay_has_the_same_bytes_and_a_request_id_of_its_own(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let pay = |id: &'static str| Answer::to(app.payment("k", BODY).header("X-Request-Id", id));
    let first = pay("first").await;
    first.is_first();
    for id in ["second", "third"] {
        let replay = pay(id).await;
        replay.is_repeat();
        assert_eq!(replay.text(), first.text());
        assert_eq!(replay.header("X-Request-Id"), Some(id));
        assert_eq!(replay.header("Original-Request-Id"), Some("first"));
        for name in ["Content-Type", "Location", "Idempotency-Expires", "Idempotency-Key"] {
            assert_eq!(replay.header(name), first.header(name), "{name}");
        }
        assert_eq!(replay.header("Set-Cookie"), None);
    }
    app.has_paid_once().await;
}

pub async fn a_path_answers_with_and_without_its_trailing_slash(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let first = app.pay("k", BODY).await;
    first.is_first();
    let id = first.id();
    for path in [
        "/v1/payments".to_owned(),
        format!("/v1/payments/{id}"),
        format!("/v1/payments/{id}/events"),
        "/v1/idempotency-keys/k".to_owned(),
        "/healthz".to_owned(),
        "/readyz".to_owned(),
    ] {
        let [without, with] = [app.get(&path).await, app.get(&format!("{path}/")).await];
        assert_eq!(without.is(200).text(), with.is(200).text(), "{path}");
    }
}

pub async fn each_path_of_the_operation_is_the_same_operation(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let paths = ["/payments", "/payments/", "/v1/payments", "/v1/payments/"];
    let mut bodies = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        let request = app.post(path).header("Idempotency-Key", "k").body(BODY);
        let answer = Answer::to(request).await;
        answer.is(201).is_replay(at > 0);
        bodies.push(answer.text());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    app.has_paid_once().await;
}

pub async fn every_spelling_of_a_request_is_the_same_request(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let first = app
        .pay("k", r#"{"amount":100,"currency":"USD","reference":"r","metadata":{"a":"1","b":"2"}}"#)
        .await;
    first.is_first();
    for spelling in [
        r#"{"amount":100.00,"currency":"USD","reference":"r","metadata":{"a":"1","b":"2"}}"#,
        r#"{"amount":"100.00","currency":"USD","reference":"r","metadata":{"a":"1","b":"2"}}"#,
        r#"{"amount":"100","currency":"USD","reference":"r","metadata":{"a":"1","b":"2"}}"#,
        r#"{"amount":1e2,"currency":"USD","reference":"r","metadata":{"a":"1","b":"2"}}"#,
        r#"{"amount":"1000E-1","currency":"USD","reference":"r","metadata":{"a":"1","b":"2"}}"#,
        r#"{"metadata":{"b":"2","a":"1"},"reference":"r","currency":"USD","amount":100}"#,
        "\r\n\t{ \"amount\" : 100 ,\n\"reference\":\"r\" , \"metadata\":{\"a\":\"1\", \"b\":\"2\"}} ",
        r#"{"\u0061mount":100,"reference":"\u0072","metadata":{"a":"1","\u0062":"2"}}"#,
        r#"{"amount":100,"description":null,"payment_method":null,"currency":null,
            "reference":"r","metadata":{"a":"1","b":"2"}}"#,
    ] {
        let replay = app.pay("k", spelling).await;
        replay.is_repeat();
        assert_eq!(replay.text(), first.text(), "{spelling}");
    }
    app.has_paid_once().await;
}

pub async fn what_is_read_back_equals_the_answer(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let answer = app.pay("k", BODY).await;
    answer.is_first();
    let read = app.get(answer.header("Location").expect("where it is")).await;
    assert_eq!(read.is(200).text(), answer.text());
    assert_eq!(read.header("Content-Type"), Some("application/json"));
    assert_eq!(app.has_paid_once().await, answer.json());
}

pub async fn each_currency_shows_its_own_decimals(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for (amount, currency, shown) in [
        ("100", "USD", "100.00"),
        ("0.01", "EUR", "0.01"),
        ("100", "JPY", "100"),
        ("1", "BHD", "1.000"),
        ("9007199254740993.07", "USD", "9007199254740993.07"),
        ("92233720368547758.07", "USD", "92233720368547758.07"),
    ] {
        let body = format!(r#"{{"amount":{amount},"currency":"{currency}"}}"#);
        let answer = app.pay(&format!("{amount}-{currency}"), body).await;
        let payment = answer.is_first().json();
        assert_eq!(payment["amount"], shown);
        assert_eq!(payment["currency"], currency);
        assert_eq!(app.get(&format!("/v1/payments/{}", answer.id())).await.json(), payment);
    }
}

pub async fn the_default_currency_is_the_operators(database: Arc<Database>) {
    let variables = [("PAYONCE__PAYMENTS__DEFAULT_CURRENCY", "JPY")];
    let app = TestApp::spawn(&database, &variables).await;
    let answer = app.pay("k", r#"{"amount":100}"#).await;
    assert_eq!(answer.is_first().json()["currency"], "JPY");
    assert_eq!(answer.json()["amount"], "100");
    app.pay("k", r#"{"amount":100,"currency":"JPY"}"#).await.is_repeat();
    app.pay("k", r#"{"amount":100,"currency":"USD"}"#)
        .await
        .is_refused(422, "idempotency_key_reused");
}

pub async fn every_field_of_a_request_is_kept(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let pairs = (0..50).map(|at| (format!("{at:02}"), json!("\u{fc}".repeat(500))));
    let longest = json!({
        "amount": "12.34",
        "currency": "EUR",
        "payment_method": "t".repeat(255),
        "reference": "\u{1f4b6}".repeat(255),
        "description": "d".repeat(1000),
        "metadata": pairs.collect::<serde_json::Map<_, _>>(),
    });
    let odd = json!({
        "amount": "12.34",
        "currency": "EUR",
        "payment_method": " tok_1 ",
        "reference": "<'\"\\;--%00 \u{202e} \u{e9}e\u{301}",
        "description": "",
        "metadata": {"k": "", "\u{1f511}": "{\"a\":1}"},
    });
    for (key, asked) in [("longest", longest), ("odd", odd)] {
        let answer = app.pay(key, asked.to_string()).await;
        let payment = answer.is_first().json();
        let asked = asked.as_object().expect("an object");
        for (field, value) in asked {
            assert_eq!(&payment[field], value, "{field}");
        }
        assert_eq!(app.get(&format!("/v1/payments/{}", answer.id())).await.json(), payment);
        app.pay(key, Value::from(asked.clone()).to_string()).await.is_repeat();
    }
}

pub async fn an_equal_request_under_another_key_is_a_second_payment(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let [one, other] = [app.pay("one", BODY).await, app.pay("other", BODY).await];
    one.is_first();
    other.is_first();
    let field = |answer: &Answer, name: &str| answer.json()[name].clone();
    assert_ne!(field(&one, "id"), field(&other, "id"));
    assert_ne!(field(&one, "gateway_reference"), field(&other, "gateway_reference"));
    assert_eq!(app.payments().await.len(), 2);
    assert_eq!(app.charges(), 2);
}

/// A request, other requests, and the names of the fields in which each of those differs.
const DIFFERENT: (&str, &[(&str, &[&str])]) = (
    r#"{"amount":"871.93","reference":"secret-1","metadata":{"a":"secret-2"}}"#,
    &[
        (r#"{"amount":"871.94","reference":"secret-1","metadata":{"a":"secret-2"}}"#, &["amount"]),
        (
            r#"{"amount":"871.93","currency":"EUR","reference":"secret-1","metadata":{"a":"secret-2"}}"#,
            &["currency"],
        ),
        (
            r#"{"amount":"871.93","payment_method":"t","reference":"secret-1","metadata":{"a":"secret-2"}}"#,
            &["payment_method"],
        ),
        (
            r#"{"amount":"871.93","reference":"secret-3","metadata":{"a":"secret-2"}}"#,
            &["reference"],
        ),
        (r#"{"amount":"871.93","metadata":{"a":"secret-2"}}"#, &["reference"]),
        (
            r#"{"amount":"871.93","description":"","reference":"secret-1","metadata":{"a":"secret-2"}}"#,
            &["description"],
        ),
        (
            r#"{"amount":"871.93","reference":"secret-1","metadata":{"a":"secret-3"}}"#,
            &["metadata"],
        ),
        (
            r#"{"amount":"871.93","reference":"secret-1","metadata":{"A":"secret-2"}}"#,
            &["metadata"],
        ),
        (r#"{"amount":"871.93","reference":"secret-1"}"#, &["metadata"]),
        (
            r#"{"amount":1,"currency":"JPY","payment_method":"t","reference":"r","description":"d"}"#,
            &["amount", "currency", "payment_method", "reference", "description", "metadata"],
        ),
    ],
);

pub async fn another_request_under_a_known_key_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let (first, others) = DIFFERENT;
    let paid = app.pay("k", first).await;
    paid.is_first();
    for (other, fields) in others {
        let refused = app.pay("k", *other).await;
        let problem = refused.is_refused(422, "idempotency_key_reused");
        assert_eq!(problem["differing_fields"], json!(fields), "{other}");
        refused.links(&paid.id());
        assert_eq!(refused.header("Idempotency-Key"), Some("k"));
        assert_eq!(refused.header("Idempotent-Replayed"), Some("false"));
        let text = refused.text();
        assert!(!text.contains("871.") && !text.contains("secret"), "{text}");
    }
    let replay = app.pay("k", first).await;
    replay.is_repeat();
    assert_eq!(replay.text(), paid.text());
    assert_eq!(app.has_paid_once().await, paid.json());
}

pub async fn a_refused_request_is_good_under_a_key_of_its_own(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    app.pay("one", BODY).await.is_first();
    app.pay("one", r#"{"amount":7}"#).await.is_refused(422, "idempotency_key_reused");
    let other = app.pay("other", r#"{"amount":7}"#).await;
    assert_eq!(other.is_first().json()["amount"], "7.00");
    assert_eq!(app.charges(), 2);
}
