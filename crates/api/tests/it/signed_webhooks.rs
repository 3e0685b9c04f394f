//! Webhooks that must prove their sender, signed by the library of the scheme's authors.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::RequestBuilder;
use standardwebhooks::Webhook;

use crate::answer::Answer;
use crate::app::{Database, TestApp};
use crate::webhooks::{BODY, webhook};

const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const STRANGE: &str = "whsec_////////////////////////////////";
const BOTH: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD,whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}

fn signature(secret: &str, id: &str, at: i64, body: &str) -> String {
    Webhook::new(secret).and_then(|it| it.sign(id, at, body.as_bytes())).expect("it signs")
}

fn claiming(app: &TestApp, id: &str, at: i64, signature: &str, body: &str) -> RequestBuilder {
    webhook(app, body.to_owned())
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
}

fn signed(app: &TestApp, secret: &str, body: &str) -> RequestBuilder {
    let at = now();
    claiming(app, "msg_1", at, &signature(secret, "msg_1", at, body), body)
}

async fn is_refused(request: RequestBuilder) {
    let answer = Answer::to(request).await;
    let body = answer.is(401).json();
    assert!(body["detail"].as_str().is_some_and(|words| !words.is_empty()), "{answer:?}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{answer:?}");
}

fn has_stored(database: &Database) -> i64 {
    database.number("SELECT count(*) FROM transactions")
}

async fn secured(database: &Database) -> TestApp {
    TestApp::spawn(database, &[("PAYONCE__WEBHOOKS__SECRETS", BOTH)]).await
}

pub async fn a_signed_webhook_is_accepted_under_each_active_secret(database: Arc<Database>) {
    let app = secured(&database).await;
    for (secret, transaction) in [(OLD, "by_the_old"), (NEW, "by_the_new")] {
        let body = BODY.replace("txn_abc123", transaction);
        Answer::to(signed(&app, secret, &body)).await.is(202);
    }
    let at = now();
    let both = [STRANGE, NEW].map(|secret| signature(secret, "msg_1", at, BODY)).join(" ");
    Answer::to(claiming(&app, "msg_1", at, &both, BODY)).await.is(202);
    assert_eq!(has_stored(&database), 3);
    // Sent again, as senders do: accepted again, and stored once.
    Answer::to(signed(&app, OLD, BODY)).await.is(202);
    assert_eq!(has_stored(&database), 3);
}

pub async fn a_webhook_that_proves_nothing_is_refused_before_it_is_read(database: Arc<Database>) {
    let app = secured(&database).await;
    for body in [BODY, "{", r#"{"amount":0}"#] {
        let at = now();
        let right = signature(OLD, "msg_1", at, body);
        is_refused(webhook(&app, body)).await;
        is_refused(signed(&app, STRANGE, body)).await;
        is_refused(claiming(&app, "msg_2", at, &right, body)).await;
        is_refused(claiming(&app, "msg_1", at + 1, &right, body)).await;
        is_refused(claiming(&app, "msg_1", at, "v1,", body)).await;
        is_refused(claiming(&app, "msg_1", at, &right[..20], body)).await;
        is_refused(claiming(&app, "msg_1", at, &right, &format!("{body} "))).await;
        for missing in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut request = signed(&app, OLD, body).build().expect("a request");
            request.headers_mut().remove(missing);
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            is_refused(RequestBuilder::from_parts(client, request)).await;
        }
        is_refused(signed(&app, OLD, body).header("webhook-id", "msg_1")).await;
    }
    assert_eq!(has_stored(&database), 0);
    // Who has proved it is told what is wrong.
    Answer::to(signed(&app, OLD, r#"{"amount":0}"#)).await.is(422);
}

pub async fn a_signature_is_good_for_five_minutes_either_way(database: Arc<Database>) {
    let app = secured(&database).await;
    for (off, is_accepted) in [(-290, true), (290, true), (-310, false), (310, false)] {
        let at = now() + off;
        let right = signature(OLD, "msg_1", at, BODY);
        let answer = Answer::to(claiming(&app, "msg_1", at, &right, BODY)).await;
        assert_eq!(answer.status, if is_accepted { 202 } else { 401 }, "{off}: {answer:?}");
    }
    for extreme in [i64::MIN, i64::MAX, 0] {
        let right = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        is_refused(claiming(&app, "msg_1", extreme, right, BODY)).await;
    }
}
