//! What a service leaves behind, and who goes on with it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp};
use crate::elsewhere::Elsewhere;

/// What is left of a dead owner's lease.
const SHORT: Duration = Duration::from_millis(300);

pub async fn a_replay_outlives_the_service(database: Arc<Database>) {
    let old = TestApp::spawn(&database, &[]).await;
    let paid = Answer::to(old.payment("k", BODY).header("X-Request-Id", "old")).await;
    paid.is_first();
    assert!(old.stop().await);
    for _ in 0..2 {
        let new = TestApp::spawn(&database, &[]).await;
        let repeat = new.pay("k", BODY).await;
        assert_eq!(repeat.is_repeat().text(), paid.text());
        assert_eq!(repeat.header("Original-Request-Id"), Some("old"));
        for name in ["Content-Type", "Location", "Idempotency-Expires"] {
            assert_eq!(repeat.header(name), paid.header(name), "{name}");
        }
        assert_eq!(new.charges(), 0);
        assert!(new.stop().await);
    }
}

pub async fn a_dead_owner_is_replaced_by_a_retry(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let dead = Elsewhere::opens_with_a_lease(&app, "k", SHORT).await;
    let paid = Answer::to(app.payment("k", BODY).header("Prefer", "wait=3600")).await;
    paid.is(201);
    let payment = app.has_paid_once().await;
    assert_eq!(payment, paid.json());
    assert_eq!(paid.id(), dead.payment());
    let events = app.events(&dead.payment()).await;
    assert!(events[1].starts_with("taken_over by "), "{events:?}");
    assert!(events.last().is_some_and(|last| last.starts_with("completed by ")), "{events:?}");
    assert_eq!(app.pay("k", BODY).await.is_repeat().text(), paid.text());
}

pub async fn a_dead_owner_that_comes_back_changes_nothing(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let dead = Elsewhere::opens_with_a_lease(&app, "k", SHORT).await;
    let paid = Answer::to(app.payment("k", BODY).header("Prefer", "wait=3600")).await;
    paid.is(201);
    assert!(!dead.settles().await, "the first owner's number is no longer good");
    assert_eq!(app.pay("k", BODY).await.is_repeat().text(), paid.text());
    assert_eq!(app.has_paid_once().await, paid.json());
}

pub async fn a_crowd_replaces_a_dead_owner_once(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let dead = Elsewhere::opens_with_a_lease(&app, "k", SHORT).await;
    let crowd = (0..30)
        .map(|_| tokio::spawn(Answer::to(app.payment("k", BODY).header("Prefer", "wait=3600"))));
    let answers = join_all(crowd.collect::<Vec<_>>()).await;
    for answer in answers {
        assert_eq!(answer.expect("it is answered").is(201).id(), dead.payment());
    }
    app.has_paid_once().await;
    let events = app.events(&dead.payment()).await;
    let taken = events.iter().filter(|event| event.starts_with("taken_over by "));
    assert_eq!(taken.count(), 1, "{events:?}");
}
