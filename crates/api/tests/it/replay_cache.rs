//! Stored answers that are replayed without asking the database.

use std::sync::Arc;

use payonce_testing::metrics::Shown;
use payonce_testing::{Garbage, RedisCorner, TestDatabase};

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp, eventually};

const NO_MEMORY: (&str, &str) = ("PAYONCE__REPLAY_CACHE__MEMORY", "0B");
const LASTS_A_MOMENT: (&str, &str) = ("PAYONCE__IDEMPOTENCY__RETENTION", "2s");
const REUSE: (&str, &str) = ("PAYONCE__IDEMPOTENCY__AFTER_EXPIRY", "reuse");

/// A request of each format that has a key.
const REQUESTS: [(&str, &str); 4] = [
    ("/v1/payments", BODY),
    ("/pay", r#"{"user_id":"user123","amount":100.0,"idempotency_key":"in-body"}"#),
    ("/payments/start/", r#"{"order_id":"ORD123","amount":100.0}"#),
    ("/api/payment/v1/payments", r#"{"idempotency_id":"opaque","request_data":"data"}"#),
];

async fn send(app: &TestApp, path: &str, body: &'static str) -> Answer {
    Answer::to(app.post(path).header("Idempotency-Key", "k").body(body)).await
}

/// The same answer, but for what every answer has of its own.
#[track_caller]
fn assert_same(one: &Answer, other: &Answer) {
    let stripped = |answer: &Answer| {
        let mut answer = answer.clone();
        for own in ["date", "x-request-id", "ratelimit"] {
            answer.headers.remove(own);
        }
        answer
    };
    assert_eq!(stripped(one), stripped(other));
}

async fn shown(app: &TestApp) -> Shown {
    Shown::parse(&app.get("/metrics").await.is(200).text())
}

async fn hits(app: &TestApp, tier: &str) -> f64 {
    shown(app).await.sum_or_zero("payonce_replay_cache_hits_total", &[("tier", tier)])
}

pub async fn a_stored_answer_is_replayed_while_the_database_is_away(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let uncached = TestApp::spawn(&database, &[NO_MEMORY]).await;
    let mut stored = Vec::new();
    for (path, body) in REQUESTS {
        let paid = send(&app, path, body).await;
        assert_eq!(paid.header("Idempotent-Replayed"), Some("false"), "{paid:?}");
        let replay = send(&uncached, path, body).await;
        assert_eq!((&replay.body, replay.status), (&paid.body, paid.status));
        stored.push(replay);
    }
    assert_eq!(hits(&app, "memory").await, 0.0);
    let held = database.hold("idempotency_records");
    for ((path, body), replay) in REQUESTS.into_iter().zip(&stored) {
        assert_same(&send(&app, path, body).await, replay);
    }
    drop(held);
    assert_eq!(hits(&app, "memory").await, 4.0);
    assert_eq!(hits(&uncached, "memory").await, 0.0);
    assert_eq!(app.charges(), 3);
}

pub async fn what_the_database_replayed_once_is_at_hand_from_then_on(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let paid = app.pay("k", BODY).await;
    let other = TestApp::spawn(&database, &[]).await;
    assert_same(&other.pay("k", BODY).await, app.pay("k", BODY).await.is_repeat());
    let held = database.hold("idempotency_records");
    assert_eq!(other.pay("k", BODY).await.is_repeat().text(), paid.text());
    drop(held);
    assert_eq!(other.charges(), 0);
}

pub async fn another_request_under_a_key_at_hand_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let paid = app.pay("k", BODY).await;
    app.pay("k", BODY).await.is_repeat();
    let refused = app.pay("k", r#"{"amount":7}"#).await;
    let problem = refused.is_refused(422, "idempotency_key_reused");
    assert_eq!(problem["differing_fields"], serde_json::json!(["amount"]));
    refused.links(&paid.id());
    let pay = r#"{"user_id":"user123","amount":100.0,"idempotency_key":"k"}"#;
    app.send("/pay", pay).await.is_error(422);
    let opaque = r#"{"idempotency_id":"k","request_data":"data"}"#;
    app.send("/api/payment/v1/payments", opaque).await.is_detail(422);
    app.has_paid_once().await;
}

pub async fn an_answer_at_hand_is_not_replayed_once_it_has_expired(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[LASTS_A_MOMENT]).await;
    let paid = app.pay("k", BODY).await;
    paid.is_first();
    app.until_key_is("k", "expired").await;
    let refused = app.pay("k", BODY).await;
    refused.is_refused(422, "idempotency_key_expired");
    refused.links(&paid.id());
    app.has_paid_once().await;
}

pub async fn a_reused_key_is_never_answered_by_what_it_was_before(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[LASTS_A_MOMENT, REUSE]).await;
    let mut ids = Vec::new();
    for _generation in 0..2 {
        let paid = app.pay("k", BODY).await;
        assert!(!ids.contains(&paid.is_first().id()), "{paid:?}");
        ids.push(paid.id());
        app.until_key_is("k", "expired").await;
    }
    let long = TestApp::spawn(&database, &[REUSE]).await;
    let last = long.pay("k", BODY).await;
    assert!(!ids.contains(&last.is_first().id()), "{last:?}");
    assert_same(&long.pay("k", BODY).await, long.pay("k", BODY).await.is_repeat());
    assert_eq!(long.pay("k", BODY).await.id(), last.id());
    assert!(hits(&long, "memory").await >= 3.0);
}

pub async fn an_answer_of_one_instance_is_at_hand_at_another_through_redis(
    database: Arc<Database>,
) {
    let corner = RedisCorner::new();
    let redis = [
        ("REDIS_URL", corner.url.as_str()),
        ("PAYONCE__REDIS__PREFIX", corner.prefix.as_str()),
        ("PAYONCE__REDIS__TIMEOUT", "20s"),
        ("PAYONCE__RATE_LIMIT__ENABLED", "false"),
    ];
    let app = TestApp::spawn(&database, &redis).await;
    // A database that has nothing of it: only Redis can know.
    let elsewhere = TestDatabase::sqlite();
    let other = TestApp::start(&database, elsewhere.url(), &redis);
    other.ready().await;
    for app in [&app, &other] {
        let is_up =
            async || (app.get("/readyz").await.json()["redis"] == "available").then_some(());
        eventually("Redis is there", is_up).await;
    }
    for (path, body) in REQUESTS {
        let paid = send(&app, path, body).await;
        assert_eq!(paid.header("Idempotent-Replayed"), Some("false"), "{paid:?}");
    }
    let all = async || (corner.contents().keys().len() == 4).then_some(());
    eventually("Redis has them", all).await;
    for (path, body) in REQUESTS {
        let at_hand = send(&app, path, body).await;
        for _twice in 0..2 {
            assert_same(&send(&other, path, body).await, &at_hand);
        }
    }
    assert_eq!((hits(&other, "redis").await, hits(&other, "memory").await), (4.0, 4.0));
    assert_eq!(other.charges(), 0);
    assert_eq!(other.payments().await, Vec::<serde_json::Value>::new());
    other.stop().await;
}

pub async fn garbage_in_redis_answers_nobody(database: Arc<Database>) {
    let corner = RedisCorner::new();
    let redis = [
        ("REDIS_URL", corner.url.as_str()),
        ("PAYONCE__REDIS__PREFIX", corner.prefix.as_str()),
        ("PAYONCE__REDIS__TIMEOUT", "20s"),
        ("PAYONCE__RATE_LIMIT__ENABLED", "false"),
        NO_MEMORY,
    ];
    let app = TestApp::spawn(&database, &redis).await;
    let is_up = async || (app.get("/readyz").await.json()["redis"] == "available").then_some(());
    eventually("Redis is there", is_up).await;
    let paid = app.pay("k", BODY).await;
    for garbage in Garbage::ALL {
        let kept =
            async || (corner.contents().times_to_live().iter().any(|it| *it > 0)).then_some(());
        eventually("Redis has it", kept).await;
        assert_eq!(corner.contents().fill_with(garbage), 1, "{garbage:?}");
        assert_eq!(app.pay("k", BODY).await.is_repeat().text(), paid.text(), "{garbage:?}");
    }
    app.has_paid_once().await;
}
