//! What an expired key does.

use std::sync::Arc;

use crate::app::{BODY, Database, TestApp};
use crate::elsewhere::Elsewhere;

/// As good as none.
const SHORT: (&str, &str) = ("PAYONCE__IDEMPOTENCY__RETENTION", "1ms");
const REUSE: (&str, &str) = ("PAYONCE__IDEMPOTENCY__AFTER_EXPIRY", "reuse");

pub async fn an_expired_key_is_refused_and_nothing_is_executed(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[SHORT]).await;
    let paid = app.pay("k", BODY).await;
    paid.is_first();
    let known = app.until_key_is("k", "expired").await;
    assert_eq!(known["expires_at"].as_str(), paid.header("Idempotency-Expires"));
    assert_eq!(known["payment"], format!("/v1/payments/{}", paid.id()));
    for body in [BODY, r#"{"amount":7}"#] {
        let refused = app.pay("k", body).await;
        refused.is_refused(422, "idempotency_key_expired");
        refused.links(&paid.id());
        assert_eq!(refused.header("Idempotency-Key"), Some("k"));
    }
    assert_eq!(app.has_paid_once().await, paid.json());
    app.pay("other", BODY).await.is_first();
}

pub async fn an_expired_key_names_a_new_request_where_the_operator_says_so(
    database: Arc<Database>,
) {
    let app = TestApp::spawn(&database, &[SHORT, REUSE]).await;
    let mut ids = Vec::new();
    for (at, body) in [BODY, r#"{"amount":7}"#, BODY].into_iter().enumerate() {
        let paid = app.pay("k", body).await;
        paid.is_first();
        ids.push(paid.id());
        let known = app.until_key_is("k", "expired").await;
        assert_eq!(known["payment_id"], paid.id());
        assert_eq!(app.charges(), at + 1);
    }
    let listed = app.payments().await.into_iter().map(|it| it["id"].clone());
    assert_eq!(listed.rev().collect::<Vec<_>>(), ids);
}

pub async fn a_key_whose_payment_is_not_final_never_expires(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[SHORT, REUSE]).await;
    let running = Elsewhere::opens_a_payment(&app, "k").await;
    app.until_key_is("k", "in_progress").await;
    for body in [BODY, r#"{"amount":7}"#] {
        let request = app.payment("k", body).header("Prefer", "wait=0");
        let answer = crate::answer::Answer::to(request).await;
        let (status, code) = match body {
            BODY => (409, "idempotency_key_in_use"),
            _ => (422, "idempotency_key_reused"),
        };
        answer.is_refused(status, code);
        answer.links(&running.payment());
    }
    assert_eq!(app.payments().await.len(), 1);
    assert_eq!(app.charges(), 0);
}
