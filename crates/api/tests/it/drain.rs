//! How a service ends.

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::app::{BODY, Database, TestApp, eventually};
use crate::hidden::Hidden;
use crate::latency;
use crate::wire;

async fn listens_no_more(app: &TestApp) {
    eventually("new connections are refused", async || {
        TcpStream::connect(app.address).await.is_err().then_some(())
    })
    .await;
}

pub async fn a_payment_under_way_ends_and_nothing_new_begins(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &latency!("2s")).await;
    let mut idle = app.connect().await;
    let healthz = wire::request("GET /healthz", &[], "");
    idle.send(&healthz).await.answer().await.is(200);
    let first = app.begin_to_pay("k", BODY).await;
    let duplicate = app.paying("k", BODY);
    eventually("it waits", async || (app.waiters.waiting() == 1).then_some(())).await;

    app.begin_to_stop();
    listens_no_more(&app).await;
    let pay = wire::payment(&["Idempotency-Key: late"], BODY);
    if idle.try_send(&pay).await
        && let Some(answer) = idle.try_answer().await
    {
        answer.is_refused(503, "shutting_down");
        assert!(answer.header("Retry-After").is_some());
    }
    assert!(!first.is_finished(), "the payment was to be under way still");
    let paid = first.await.expect("it is answered");
    paid.is_first();
    let repeat = duplicate.await.expect("it is answered");
    assert_eq!(repeat.is_repeat().text(), paid.text());
    assert!(app.stop().await, "all came to its end");
    assert_eq!(app.charges(), 1);

    let next = TestApp::spawn(&database, &[]).await;
    assert_eq!(next.pay("k", BODY).await.is_repeat().text(), paid.text());
    assert_eq!(next.key("late").await, None);
    assert_eq!(next.payments().await.len(), 1);
}

pub async fn a_payment_whose_client_is_gone_ends_before_the_service_does(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &latency!("2s")).await;
    let mut wire = app.connect().await;
    wire.send(wire::payment(&["Idempotency-Key: k"], BODY)).await;
    app.until_key_is("k", "in_progress").await;
    wire.reset();
    assert!(app.stop().await, "all came to its end");
    assert_eq!(app.charges(), 1);

    let next = TestApp::spawn(&database, &[]).await;
    assert_eq!(next.key("k").await.expect("it is known")["state"], "completed");
    next.pay("k", BODY).await.is_repeat();
}

pub async fn a_drain_ends_in_its_time(database: Arc<Database>) {
    let [min, max] = latency!("1h");
    let variables = [min, max, ("PAYONCE__SERVER__DRAIN_TIMEOUT", "1s")];
    let app = TestApp::spawn(&database, &variables).await;
    let first = app.begin_to_pay("k", BODY).await;
    assert!(!app.stop().await, "the payment did not end");
    listens_no_more(&app).await;
    first.abort();

    let next = TestApp::spawn(&database, &[]).await;
    assert_eq!(next.key("k").await.expect("it is known")["state"], "in_progress");
    let payments = next.payments().await;
    assert_eq!(payments[0]["status"], "PROCESSING");
    assert_eq!(payments.len(), 1);
}

pub async fn a_service_that_was_never_ready_stops_at_once(database: Arc<Database>) {
    let hidden = Hidden::new(&database);
    let app = TestApp::start(&database, hidden.url(), &[]);
    app.get("/healthz").await.is(200);
    assert!(app.stop().await, "nothing was under way");
    listens_no_more(&app).await;
}
