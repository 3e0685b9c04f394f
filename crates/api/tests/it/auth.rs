//! Who is let in, where keys are asked for.

use std::sync::Arc;

use payonce_api::wiring::create_key;
use payonce_domain::account::Mode;
use payonce_domain::api_key::{KeyPrefix, KeyScope, NewSecret};
use payonce_domain::use_cases::CreateKeyCommand;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp, eventually};

/// Keys are asked for.
pub const KEYS: (&str, &str) = ("PAYONCE__AUTH__MODE", "api_key");

const TOKEN: &str = "a-token-that-reads-metrics";

/// Makes a key.
pub async fn made(app: &TestApp, account: &str, mode: Mode, scope: KeyScope) -> NewSecret {
    let account = account.parse().expect("valid");
    let command = CreateKeyCommand { account, mode, scope, name: None };
    create_key(&app.store).execute(command).await.expect("it is kept")
}

/// The service, asked with a key that may write.
pub async fn keyed(app: &TestApp, account: &str, mode: Mode) -> TestApp {
    app.with_key(made(app, account, mode, KeyScope::Write).await.expose())
}

/// Asks each kind of route, with a body that would do.
async fn everything(app: &TestApp) -> Vec<(String, Answer)> {
    let order = json!({"order_id": "o", "amount": 1});
    let pay = json!({"user_id": "u", "amount": 1, "idempotency_key": "p"});
    let opaque = json!({"idempotency_id": "i", "request_data": "d"});
    let payment = json!({"amount": 1});
    let mut answers = Vec::new();
    for (path, body) in [
        ("/v1/payments", &payment),
        ("/payments", &payment),
        ("/pay", &pay),
        ("/payments/start/", &order),
        ("/api/payment/v1/payments", &opaque),
    ] {
        let request = app.post(path).header("Idempotency-Key", "k").body(body.to_string());
        answers.push((format!("POST {path}"), Answer::to(request).await));
    }
    for path in [
        "/v1/payments",
        "/v1/payments/01a1fdeb-6164-7700-8874-1b49e96ad766",
        "/v1/payments/01a1fdeb-6164-7700-8874-1b49e96ad766/events",
        "/v1/idempotency-keys/k",
        "/payments/start/o",
        "/v1/transactions/t",
        "/nothing/here",
    ] {
        answers.push((format!("GET {path}"), app.get(path).await));
    }
    let other_method = Answer::to(app.request(Method::DELETE, "/pay")).await;
    answers.push(("DELETE /pay".to_owned(), other_method));
    answers
}

pub async fn whoever_brings_no_good_key_is_told_the_same(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[KEYS]).await;
    let good = made(&app, "shop", Mode::Live, KeyScope::Write).await;
    let revoked = made(&app, "shop", Mode::Live, KeyScope::Write).await;
    app.store.api_keys.revoke(&revoked.prefix).await.expect("it revokes");
    let unknown = NewSecret::new(Mode::Live, [7; 32]);
    let other = if good.expose().ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("{}{other}", &good.expose()[..57]);
    let named = good.prefix.as_str();

    let without_ids = |answers: Vec<(String, Answer)>| {
        let seen = answers.into_iter().map(|(asked, answer)| {
            assert_eq!(answer.status, 401, "{asked}: {answer:?}");
            assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer"), "{asked}");
            assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{asked}");
            let (mut body, id) = (answer.json(), answer.header("X-Request-Id"));
            assert!(id.is_some(), "{asked}");
            if let Some(of_body) = body.get_mut("request_id") {
                assert_eq!(*of_body, json!(id), "{asked}");
                *of_body = Value::Null;
            }
            let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            (asked, answer.header("Content-Type").map(str::to_owned), names, body)
        });
        seen.collect::<Vec<_>>()
    };
    let missing = without_ids(everything(&app).await);
    assert_eq!(missing[0].3["code"], "unauthenticated");
    assert_eq!(missing[0].3["safe_new_key"], false);
    for key in [unknown.expose(), revoked.expose(), &mistyped, named, "hush", ""] {
        let refused = without_ids(everything(&app.with_key(key)).await);
        assert_eq!(refused, missing, "{key}");
    }
    let basic = app.request(Method::GET, "/v1/payments").basic_auth("u", Some(good.expose()));
    Answer::to(basic).await.is_problem(401, "unauthenticated");
    let twice = app.with_key(good.expose()).request(Method::GET, "/v1/payments");
    Answer::to(twice.bearer_auth(good.expose())).await.is_problem(401, "unauthenticated");

    let paying = app.with_key(good.expose());
    paying.has_done_nothing().await;
    assert_eq!(paying.key("k").await, None, "no refusal uses up a key");
    paying.pay("k", BODY).await.is_first();
}

pub async fn what_proves_itself_otherwise_needs_no_key(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[KEYS]).await;
    for path in ["/", "/healthz", "/readyz", "/docs", "/docs/start.js", "/openapi.json"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    let announced = json!({
        "transaction_id": "t", "source_account": "s", "destination_account": "d",
        "amount": 1, "currency": "USD",
    });
    app.send("/v1/webhooks/transactions", announced.to_string()).await.is(202);
    app.get("/v1/transactions/t").await.is(401);
    keyed(&app, "default", Mode::Live).await.get("/v1/transactions/t").await.is(200);
    let charge = app.post("/fake-gateway/start/").header("X-Fake-Gateway-Mode", "decline");
    assert_ne!(Answer::to(charge.body("{}")).await.status, 401);
}

pub async fn metrics_want_their_own_token(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[KEYS, ("PAYONCE__AUTH__METRICS_TOKEN", TOKEN)]).await;
    let key = made(&app, "shop", Mode::Live, KeyScope::Write).await;
    for wrong in [key.expose(), "a-token-that-reads-metricz", "hush"] {
        app.with_key(wrong).get("/metrics").await.is_problem(401, "unauthenticated");
    }
    app.get("/metrics").await.is_problem(401, "unauthenticated");
    let metrics = app.with_key(TOKEN).get("/metrics").await;
    assert!(metrics.is(200).text().contains("payment_requests_total"));
    app.with_key(TOKEN).get("/v1/payments").await.is_problem(401, "unauthenticated");

    let without_token = TestApp::spawn(&database, &[KEYS]).await;
    without_token.get("/metrics").await.is_problem(401, "unauthenticated");
    without_token.with_key("").get("/metrics").await.is_problem(401, "unauthenticated");
}

pub async fn a_key_that_only_reads_changes_nothing(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[KEYS]).await;
    let writer = keyed(&app, "shop", Mode::Live).await;
    let reader = made(&app, "shop", Mode::Live, KeyScope::Read).await;
    let reader = app.with_key(reader.expose());
    for (asked, answer) in everything(&reader).await {
        assert_eq!(answer.status == 403, !asked.starts_with("GET"), "{asked}: {answer:?}");
    }
    let refused = reader.pay("k", BODY).await;
    refused.is_refused(403, "key_only_reads");
    writer.has_done_nothing().await;
    let paid = writer.pay("k", BODY).await;
    paid.is_first();
    assert_eq!(reader.get(&format!("/v1/payments/{}", paid.id())).await.is(200).id(), paid.id());
}

pub async fn a_revoked_key_is_refused_by_every_instance(database: Arc<Database>) {
    let one = TestApp::spawn(&database, &[KEYS]).await;
    let other = TestApp::spawn(&database, &[KEYS]).await;
    let key = made(&one, "shop", Mode::Live, KeyScope::Write).await;
    let successor = keyed(&one, "shop", Mode::Live).await;
    let paid = one.with_key(key.expose()).pay("k", BODY).await;
    paid.is_first();
    other.with_key(key.expose()).get("/v1/payments").await.is(200);
    let prefix = KeyPrefix::parse(key.expose()).expect("a key");
    one.store.api_keys.revoke(&prefix).await.expect("it revokes");
    for app in [&one, &other] {
        let with_it = app.with_key(key.expose());
        eventually("it is refused", async || {
            (with_it.get("/v1/payments").await.status == 401).then_some(())
        })
        .await;
        with_it.pay("k", BODY).await.is_refused(401, "unauthenticated");
    }
    assert_eq!(successor.pay("k", BODY).await.is_repeat().text(), paid.text());
    successor.has_paid_once().await;
}

pub async fn a_test_key_never_reaches_a_live_gateway(database: Arc<Database>) {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", nobody.local_addr().expect("it is bound"));
    let live = [
        KEYS,
        ("PAYONCE__GATEWAY__KIND", "http"),
        ("PAYONCE__GATEWAY__MODE", "live"),
        ("PAYONCE__GATEWAY__HTTP__BASE_URL", url.as_str()),
    ];
    let app = TestApp::spawn(&database, &live).await;
    let test = keyed(&app, "shop", Mode::Test).await;
    for (asked, answer) in everything(&test).await {
        assert_eq!(answer.status, 403, "{asked}: {answer:?}");
    }
    test.pay("k", BODY).await.is_refused(403, "key_of_other_mode");
    assert_eq!(database.number("SELECT count(*) FROM idempotency_records"), 0);
    nobody.set_nonblocking(true).expect("it can be asked");
    let called = nobody.accept().map(|_| ());
    assert_eq!(called.expect_err("nobody called").kind(), std::io::ErrorKind::WouldBlock);
    let payments = keyed(&app, "shop", Mode::Live).await.get("/v1/payments").await;
    assert_eq!(payments.is(200).json()["data"], json!([]));
}

pub async fn each_account_has_a_limit_of_its_own(database: Arc<Database>) {
    let limited =
        [KEYS, ("PAYONCE__RATE_LIMIT__PER_SECOND", "1"), ("PAYONCE__RATE_LIMIT__BURST", "20")];
    let app = TestApp::spawn(&database, &limited).await;
    let one = keyed(&app, "one", Mode::Live).await;
    let its_other_key = keyed(&app, "one", Mode::Live).await;
    let other = keyed(&app, "other", Mode::Live).await;
    let until = async |app: &TestApp, status: u16| {
        eventually("it is refused", async || {
            let answer = app.get("/v1/payments").await;
            (answer.status == status).then_some(answer)
        })
        .await
    };
    until(&one, 429).await.is_problem(429, "rate_limited");
    assert_eq!(other.get("/v1/payments").await.status, 200);
    until(&its_other_key, 429).await;
    // Whoever proves nothing is counted by address, and takes nothing from an account that is known.
    until(&app.with_key("hush"), 429).await.is_problem(429, "rate_limited");
    until(&app, 401).await.is_problem(401, "unauthenticated");
}

pub async fn while_keys_cannot_be_looked_up_nobody_is_let_in(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[KEYS]).await;
    let shop = keyed(&app, "shop", Mode::Live).await;
    database.execute("ALTER TABLE api_keys RENAME TO api_keys_elsewhere");
    let refused = shop.pay("k", BODY).await;
    assert!(refused.status >= 500, "whether the key is good is not known: {refused:?}");
    database.execute("ALTER TABLE api_keys_elsewhere RENAME TO api_keys");
    shop.has_done_nothing().await;
    shop.pay("k", BODY).await.is_first();
}

pub async fn the_document_says_what_needs_a_key(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[KEYS]).await;
    let document = app.get("/openapi.json").await.is(200).json();
    let schemes = document["components"]["securitySchemes"].as_object().expect("schemes");
    assert!(schemes.values().all(|scheme| scheme["scheme"] == "bearer"), "{schemes:?}");
    let (mut with_key, mut without) = (0, 0);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let asked: Method = method.to_uppercase().parse().expect("a method");
            let concrete = path.replace("{file}", "start.js").replace(['{', '}'], "");
            let answer = Answer::to(app.request(asked, &concrete)).await;
            let names_it = operation["security"].is_array();
            assert_eq!(answer.status == 401, names_it, "{method} {path}: {answer:?}");
            if !names_it {
                without += 1;
                continue;
            }
            let media_type = answer.header("Content-Type").expect("a type");
            let content = &operation["responses"]["401"]["content"][media_type];
            let mut expected = content["examples"]["unauthenticated"]["value"].clone();
            if let Some(id) = expected.get_mut("request_id") {
                *id = json!(answer.header("X-Request-Id"));
            }
            assert_eq!(answer.json(), expected, "{method} {path}");
            with_key += 1;
        }
    }
    assert!(with_key >= 12 && without >= 6, "{with_key} and {without}");
}
