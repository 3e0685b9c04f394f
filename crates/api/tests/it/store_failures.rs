//! A store that fails within a payment: nothing is half done, and nothing is paid twice.

use std::sync::Arc;

use payonce_testing::TestDatabase;
use tokio::net::TcpListener;
use url::Url;

use crate::app::{BODY, Database, TestApp, keep};
use crate::fuse::{Fuse, Loss};

pub async fn a_failure_while_opening_stores_nothing_and_leaves_the_key_free(
    database: Arc<Database>,
) {
    let app = TestApp::spawn(&database, &[]).await;
    for table in ["idempotency_records", "payments"] {
        database.refuse("INSERT", table);
        let failed = app.pay("k", BODY).await;
        failed.is_refused(503, "store_unavailable");
        assert!(failed.header("Retry-After").is_some(), "{failed:?}");
        assert!(!failed.text().contains("refused by a test"), "{failed:?}");
        assert_eq!(app.key("k").await, None, "{table}");
        app.has_done_nothing().await;
        database.allow("INSERT", table);
    }
    app.pay("k", BODY).await.is_first();
    app.has_paid_once().await;
}

pub async fn a_store_out_of_reach_while_serving_is_reported_and_comes_back(
    database: Arc<Database>,
) {
    let app = TestApp::spawn(&database, &[]).await;
    let held = database.hold("idempotency_records");
    let failed = app.pay("k", BODY).await;
    failed.is_refused(503, "store_unavailable");
    assert!(failed.header("Retry-After").is_some(), "{failed:?}");
    assert_eq!(app.charges(), 0, "the gateway is not called");
    drop(held);
    assert_eq!(app.key("k").await, None);
    app.has_done_nothing().await;
    app.pay("k", BODY).await.is_first();
    app.has_paid_once().await;
}

pub async fn a_failure_while_settling_leaves_the_payment_to_recovery(database: Arc<Database>) {
    fail_while_settling(&database, "INSERT", "payment_outcomes").await;
}

pub async fn a_payment_whose_answer_cannot_be_stored_is_not_settled(database: Arc<Database>) {
    fail_while_settling(&database, "UPDATE", "idempotency_records").await;
}

async fn fail_while_settling(database: &Database, operation: &str, table: &str) {
    let app = TestApp::spawn(database, &[]).await;
    database.refuse(operation, table);
    let pending = app.pay("k", BODY).await;
    pending.is(202).is_replay(false);
    assert_eq!(pending.json()["status"], "PROCESSING");
    database.allow(operation, table);
    assert_eq!(app.has_paid_once().await["status"], "PROCESSING");
    assert_eq!(app.key("k").await.expect("it is known")["state"], "in_progress");
    app.pay("k", r#"{"amount":7}"#).await.is_refused(422, "idempotency_key_reused");
    assert_eq!(app.charges(), 1);
}

/// A payment commits twice: when it opens, by the first statement that holds its key, and when it
/// settles, by the one that holds its answer's `Location`. The answer is lost, or what commits:
/// whoever sent it cannot tell which.
async fn a_commit_in_doubt_is_looked_up(database: Arc<Database>) {
    for (settles, loss) in
        [(false, Loss::Commit), (false, Loss::Answer), (true, Loss::Commit), (true, Loss::Answer)]
    {
        let key = format!("settles-{settles}-{loss:?}");
        let mut url = Url::parse(database.url()).expect("a URL");
        let server = format!("127.0.0.1:{}", url.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        url.set_port(Some(port)).expect("a port");
        let fuse = Fuse::new(listener, server);
        let app = TestApp::start(&database, url.as_str(), &[]);
        app.ready().await;
        let before = app.payments().await.len();
        fuse.blow_at(if settles { "/v1/payments/" } else { &key }, loss);
        let paid = app.pay(&key, BODY).await;
        paid.is_first();
        assert!(fuse.is_blown(), "{key}");
        assert_eq!(app.pay(&key, BODY).await.is_repeat().text(), paid.text());
        assert_eq!(app.payments().await.len(), before + 1);
        assert_eq!(app.charges(), 1);
        app.stop().await;
    }
}

/// SQLite has no connection to lose.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_outcome_is_unknown_is_looked_up_and_never_assumed() {
    keep(TestDatabase::postgres, a_commit_in_doubt_is_looked_up).await;
}
