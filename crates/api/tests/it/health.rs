//! Whether the service lives, and whether it takes requests.

use std::sync::Arc;

use payonce_testing::TestDatabase;
use reqwest::Method;
use time::OffsetDateTime;

use crate::answer::{Answer, utc};
use crate::app::{BODY, Database, TestApp, eventually, keep};
use crate::hidden::Hidden;

/// Notices soon that no connection is to be had.
const IMPATIENT: (&str, &str) = ("PAYONCE__DATABASE__POOL_WAIT", "500ms");

async fn lives(app: &TestApp) {
    for path in ["/healthz", "/healthz/"] {
        assert_eq!(app.get(path).await.is(200).json()["status"], "alive");
    }
}

/// Refused because of the store, and told when to come again.
#[track_caller]
fn is_unavailable(answer: &Answer) -> String {
    let problem = answer.is_problem(503, "store_unavailable");
    let wait = answer.header("Retry-After").expect("when to come again");
    assert!(wait.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{wait}");
    problem["detail"].as_str().expect("a text").to_owned()
}

pub async fn the_root_tells_the_time_and_needs_no_database(database: Arc<Database>) {
    let hidden = Hidden::new(&database);
    let app = TestApp::start(&database, hidden.url(), &[]);
    is_unavailable(&app.get("/readyz").await);
    let shown = app.get("/").await;
    let time = shown.is(200).json()["current_time"].as_str().expect("a time").to_owned();
    assert_eq!(shown.text(), format!(r#"{{"status":"HEALTHY","current_time":"{time}"}}"#));
    assert_eq!(utc(&time).nanosecond(), 0);
    assert_eq!(time.len(), "2024-01-15T10:30:00Z".len(), "{time}");
    let off = (OffsetDateTime::from(std::time::SystemTime::now()) - utc(&time)).whole_minutes();
    assert_eq!(off, 0, "{time}");
}

pub async fn a_service_that_is_ready_says_so(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    lives(&app).await;
    assert_eq!(app.get("/readyz").await.is(200).json()["status"], "ready");
}

pub async fn a_service_that_is_not_ready_says_so_in_the_form_of_each_route(
    database: Arc<Database>,
) {
    let hidden = Hidden::new(&database);
    let app = TestApp::start(&database, hidden.url(), &[]);
    for (path, is_error) in [
        ("/pay", true),
        ("/pay/", true),
        ("/payments/start", true),
        ("/payments/start/", true),
        ("/api/payment/v1/payments", false),
        ("/api/payment/v1/payments/", false),
    ] {
        let refused = app.send(path, "{}").await;
        if is_error {
            refused.is_error(503);
        } else {
            refused.is_detail(503);
        }
        assert_eq!(refused.header("Retry-After"), Some("1"), "{path}");
    }
    app.get("/payments/start/ORD123").await.is_error(503);
}

pub async fn a_service_without_its_database_lives_and_is_not_ready(database: Arc<Database>) {
    let hidden = Hidden::new(&database);
    let app = TestApp::start(&database, hidden.url(), &[]);
    eventually("it has looked for its database", async || {
        let reason = is_unavailable(&app.get("/readyz").await);
        reason.contains("cannot be reached").then_some(())
    })
    .await;
    lives(&app).await;
    let paid = app.pay("k", BODY).await;
    is_unavailable(&paid);
    paid.is_refused(503, "store_unavailable");
    for (method, path) in [
        (Method::POST, "/payments"),
        (Method::GET, "/v1/payments"),
        (Method::GET, "/v1/payments/01890000-0000-7000-8000-000000000000"),
        (Method::GET, "/v1/payments/01890000-0000-7000-8000-000000000000/events"),
        (Method::GET, "/v1/idempotency-keys/k"),
    ] {
        is_unavailable(&Answer::to(app.request(method, path)).await);
    }
    assert_eq!(app.charges(), 0);
    lives(&app).await;
}

pub async fn a_service_opens_once_its_database_is_there(database: Arc<Database>) {
    let hidden = Hidden::new(&database);
    let app = TestApp::start(&database, hidden.url(), &[]);
    is_unavailable(&app.pay("k", BODY).await);
    let gate = hidden.appear();
    app.ready().await;
    assert_eq!(app.key("k").await, None, "what was refused used up no key");
    app.pay("k", BODY).await.is_first();
    app.pay("k", BODY).await.is_repeat();
    app.has_paid_once().await;
    app.stop().await;
    drop(gate);
}

pub async fn a_service_waits_for_the_migrations_of_somebody_else(database: Arc<Database>) {
    let variables = [("PAYONCE__DATABASE__MIGRATE_ON_START", "false")];
    let app = TestApp::start(&database, database.url(), &variables);
    eventually("it has looked at its database", async || {
        let reason = is_unavailable(&app.get("/readyz").await);
        reason.contains("not migrated").then_some(())
    })
    .await;
    is_unavailable(&app.pay("k", BODY).await);
    app.store.upkeep.migrate_up().await.expect("the migrations run");
    app.ready().await;
    app.pay("k", BODY).await.is_first();

    app.store.upkeep.migrate_down().await.expect("the newest migration is reverted");
    is_unavailable(&app.get("/readyz").await);
    lives(&app).await;
}

async fn a_database_that_goes_away_is_reported(database: Arc<Database>) {
    let hidden = Hidden::new(&database);
    let gate = hidden.appear();
    let app = TestApp::start(&database, hidden.url(), &[IMPATIENT]);
    app.ready().await;
    let paid = app.pay("known", BODY).await;
    paid.is_first();
    drop(gate);
    is_unavailable(&app.get("/readyz").await);
    lives(&app).await;
    let fresh = app.pay("fresh", BODY).await;
    is_unavailable(&fresh);
    fresh.is_refused(503, "store_unavailable");
    let known = app.pay("known", BODY).await;
    known.is_replay(true);
    assert_eq!(known.body, paid.body, "what is kept at hand needs no store");
    is_unavailable(&app.get("/v1/payments").await);
    assert_eq!(app.charges(), 1, "the gateway was not asked");
    let gate = hidden.appear();
    app.ready().await;
    assert_eq!(app.key("fresh").await, None, "what was refused used up no key");
    assert_eq!(app.pay("known", BODY).await.is_repeat().text(), paid.text());
    app.pay("fresh", BODY).await.is_first();
    assert_eq!(app.charges(), 2);
    app.stop().await;
    drop(gate);
}

/// Only PostgreSQL can go away: a file that is open stays where it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_reported_and_comes_back() {
    keep(TestDatabase::postgres, a_database_that_goes_away_is_reported).await;
}
