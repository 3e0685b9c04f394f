//! What one account can see and do of another's: nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp};

async fn post(app: &TestApp, path: &str, body: &Value) -> Answer {
    Answer::to(app.post(path).body(body.to_string())).await
}

pub async fn another_accounts_key_is_another_key(database: Arc<Database>) {
    let one = TestApp::spawn(&database, &[]).await;
    let other = TestApp::spawn_for("other", &database).await;
    let paid = one.pay("k", BODY).await;
    paid.is_first();
    let also_paid = other.pay("k", r#"{"amount":7}"#).await;
    also_paid.is_first();
    assert_ne!(paid.id(), also_paid.id());
    assert_ne!(paid.json()["gateway_reference"], also_paid.json()["gateway_reference"]);
    assert_eq!(one.pay("k", BODY).await.is_repeat().text(), paid.text());
    let repeat = other.pay("k", r#"{"amount":7}"#).await;
    assert_eq!(repeat.is_repeat().text(), also_paid.text());
    assert_eq!((one.charges(), other.charges()), (1, 1));

    let order = json!({"order_id": "o", "amount": 1});
    let pay = json!({"user_id": "u", "amount": 1, "idempotency_key": "p"});
    for (path, body) in [("/payments/start", order), ("/pay", pay)] {
        let theirs = post(&one, path, &body).await;
        let ours = post(&other, path, &body).await;
        assert_ne!(theirs.is(200).json()["payment_id"], ours.is(200).json()["payment_id"]);
    }
    let path = "/api/payment/v1/payments";
    for (app, payload) in [(&one, "first"), (&other, "second")] {
        let body = json!({"idempotency_id": "i", "request_data": payload});
        let stored = post(app, path, &body).await;
        assert_eq!(stored.is(201).json()["data"]["response_data"], payload);
    }
}

pub async fn what_is_another_accounts_is_not_there(database: Arc<Database>) {
    let one = TestApp::spawn(&database, &[]).await;
    let other = TestApp::spawn_for("other", &database).await;
    let paid = one.pay("k", BODY).await;
    post(&one, "/payments/start", &json!({"order_id": "o", "amount": 1})).await.is(200);
    let announced = json!({
        "transaction_id": "t", "source_account": "s", "destination_account": "d",
        "amount": 1, "currency": "USD",
    });
    post(&one, "/v1/webhooks/transactions", &announced).await.is(202);

    let id = paid.id();
    let (payment, events) = (format!("/v1/payments/{id}"), format!("/v1/payments/{id}/events"));
    for (path, code) in [
        (payment.as_str(), "payment_not_found"),
        (events.as_str(), "payment_not_found"),
        ("/v1/idempotency-keys/k", "idempotency_key_not_found"),
    ] {
        one.get(path).await.is(200);
        other.get(path).await.is_problem(404, code);
    }
    for path in ["/payments/start/o", "/v1/transactions/t"] {
        one.get(path).await.is(200);
        other.get(path).await.is(404);
    }
    assert_eq!(other.payments().await, Vec::<Value>::new());
    let filtered = other.get("/v1/payments?idempotency_key=k").await.is(200).json();
    assert_eq!(filtered["data"], json!([]));
}

pub async fn a_key_belongs_to_the_account_and_not_to_the_credential(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let with = |credential: &'static str| {
        Answer::to(app.payment("k", BODY).header("Authorization", format!("Bearer {credential}")))
    };
    let paid = with("the-first-one").await;
    paid.is_first();
    assert_eq!(with("its-successor").await.is_repeat().text(), paid.text());
    assert_eq!(app.pay("k", BODY).await.is_repeat().text(), paid.text());
    app.has_paid_once().await;
}
