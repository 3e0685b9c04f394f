//! What one key can see and do of another account's, at one service: nothing.

use std::sync::Arc;

use payonce_domain::account::Mode;
use serde_json::{Value, json};

use crate::app::{BODY, Database, TestApp};
use crate::auth::{KEYS, keyed};

/// Three accounts, two of which are sides of one.
async fn three(database: &Database) -> [TestApp; 3] {
    let variables = [KEYS, ("PAYONCE__WEBHOOKS__ACCOUNT", "one")];
    let app = TestApp::spawn(database, &variables).await;
    [
        keyed(&app, "one", Mode::Live).await,
        keyed(&app, "one", Mode::Test).await,
        keyed(&app, "two", Mode::Live).await,
    ]
}

pub async fn one_key_in_each_account_is_a_payment_in_each(database: Arc<Database>) {
    let accounts = three(&database).await;
    let mut bodies = Vec::new();
    for (number, app) in accounts.iter().enumerate() {
        let body = json!({"amount": number + 1}).to_string();
        let paid = app.pay("k", body.clone()).await;
        paid.is_first();
        assert_eq!(app.pay("k", body).await.is_repeat().text(), paid.text());
        app.pay("k", r#"{"amount": 99}"#).await.is_refused(422, "idempotency_key_reused");
        bodies.push(paid.json());
    }
    for distinct in ["id", "gateway_reference"] {
        let mut values: Vec<_> = bodies.iter().map(|body| body[distinct].to_string()).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), 3, "{distinct}: {bodies:?}");
    }
    assert_eq!(accounts[0].charges(), 3);

    for (path, body, id) in [
        ("/payments/start", json!({"order_id": "o", "amount": 1}), "payment_id"),
        ("/pay", json!({"user_id": "u", "amount": 1, "idempotency_key": "p"}), "payment_id"),
    ] {
        let mut ids = Vec::new();
        for app in &accounts {
            let paid = app.send(path, body.to_string()).await;
            ids.push(paid.is(200).json()[id].to_string());
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3, "{path}");
    }
    for (number, app) in accounts.iter().enumerate() {
        let payload = format!("data {number}");
        let body = json!({"idempotency_id": "i", "request_data": payload});
        let stored = app.send("/api/payment/v1/payments", body.to_string()).await;
        assert_eq!(stored.is(201).json()["data"]["response_data"], payload);
    }
}

pub async fn what_is_another_keys_account_is_not_there(database: Arc<Database>) {
    let [one, its_tests, two] = three(&database).await;
    let paid = one.pay("k", BODY).await;
    paid.is_first();
    one.send("/payments/start", json!({"order_id": "o", "amount": 1}).to_string()).await.is(200);
    let opaque = json!({"idempotency_id": "i", "request_data": "d"});
    one.send("/api/payment/v1/payments", opaque.to_string()).await.is(201);
    let announced = json!({
        "transaction_id": "t", "source_account": "s", "destination_account": "d",
        "amount": 1, "currency": "USD",
    });
    one.send("/v1/webhooks/transactions", announced.to_string()).await.is(202);

    let id = paid.id();
    for path in [
        format!("/v1/payments/{id}"),
        format!("/v1/payments/{id}/events"),
        "/v1/idempotency-keys/k".to_owned(),
        "/v1/idempotency-keys/i".to_owned(),
        "/payments/start/o".to_owned(),
        "/v1/transactions/t".to_owned(),
    ] {
        one.get(&path).await.is(200);
        for stranger in [&its_tests, &two] {
            let hidden = stranger.get(&path).await;
            let unknown = path.replace(&id, "01a1fdeb-6164-7700-8874-1b49e96ad766");
            let nothing = stranger.get(&unknown.replace("/t", "/never")).await;
            assert_eq!((hidden.status, nothing.status), (404, 404), "{path}");
            assert!(!hidden.text().contains(&id) || path.contains(&id), "{path}: {hidden:?}");
        }
    }
    for stranger in [&its_tests, &two] {
        assert_eq!(stranger.payments().await, Vec::<Value>::new());
        let filtered = stranger.get("/v1/payments?idempotency_key=k").await.is(200).json();
        assert_eq!(filtered["data"], json!([]));
        assert_eq!(stranger.key("k").await, None);
        // Another amount for what is another account's order is no conflict.
        let order = json!({"order_id": "o", "amount": 7}).to_string();
        stranger.send("/payments/start", order).await.is(200);
    }
    assert_eq!(one.payments().await.len(), 2);
}

pub async fn a_cursor_of_another_account_shows_nothing_of_it(database: Arc<Database>) {
    let [one, _, two] = three(&database).await;
    for key in ["a", "b", "c"] {
        one.pay(key, BODY).await.is_first();
    }
    let own = two.pay("a", BODY).await;
    own.is_first();
    let page = one.get("/v1/payments?limit=1").await.is(200).json();
    let cursor = page["next_cursor"].as_str().expect("there is more").to_owned();
    let page = two.get(&format!("/v1/payments?cursor={cursor}")).await.is(200).json();
    let seen = page["data"].as_array().expect("a list");
    assert!(seen.iter().all(|payment| payment["id"] == own.id()), "{page}");
}
