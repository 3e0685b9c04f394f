//! Duplicates of a request that is still running.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp, eventually};
use crate::elsewhere::Elsewhere;
use crate::{latency, wire};

const OTHER: &str = r#"{"amount":7}"#;

/// Sends all requests at the same moment, each on a connection of its own.
async fn at_once(requests: impl IntoIterator<Item = reqwest::RequestBuilder>) -> Vec<Answer> {
    let answers = join_all(requests.into_iter().map(|one| tokio::spawn(Answer::to(one)))).await;
    answers.into_iter().map(|answer| answer.expect("no request panics")).collect()
}

fn waiting(app: &TestApp, key: &str, wait: &str) -> reqwest::RequestBuilder {
    app.payment(key, BODY).header("Prefer", wait)
}

pub async fn fifty_requests_with_one_fresh_key_pay_once(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &latency!("200ms")).await;
    let answers = at_once((0..50).map(|_| app.payment("k", BODY))).await;
    let (mut firsts, mut bodies) = (0, Vec::new());
    for answer in &answers {
        let is_replay = answer.is(201).header("Idempotent-Replayed") == Some("true");
        answer.is_replay(is_replay);
        firsts += usize::from(!is_replay);
        bodies.push(answer.text());
    }
    assert_eq!(firsts, 1);
    bodies.dedup();
    assert_eq!(bodies, [app.pay("k", BODY).await.is_repeat().text()]);
    app.has_paid_once().await;
}

pub async fn of_fifty_requests_for_two_amounts_those_for_one_are_paid(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &latency!("200ms")).await;
    let bodies = [BODY, OTHER].repeat(25);
    let answers = at_once(bodies.iter().map(|&body| app.payment("k", body))).await;
    let mut statuses = HashMap::<_, Vec<_>>::new();
    for (body, answer) in bodies.iter().zip(&answers) {
        statuses.entry(body).or_default().push(answer.status);
        if answer.status == 422 {
            answer.is_refused(422, "idempotency_key_reused");
        }
    }
    let mut statuses: Vec<_> = statuses.into_values().collect();
    statuses.sort();
    assert_eq!(statuses, [[201; 25], [422; 25]]);
    let paid: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(paid.iter().all(|answer| answer.body == paid[0].body));
    let firsts = paid.iter().filter(|it| it.header("Idempotent-Replayed") == Some("false"));
    assert_eq!(firsts.count(), 1);
    assert_eq!(app.has_paid_once().await, paid[0].json());
}

pub async fn fifty_requests_at_two_instances_pay_once(database: Arc<Database>) {
    let [one, other] = [
        TestApp::spawn(&database, &latency!("200ms")).await,
        TestApp::spawn(&database, &latency!("200ms")).await,
    ];
    let apps = [&one, &other].repeat(25);
    let answers = at_once(apps.iter().map(|app| app.payment("k", BODY))).await;
    assert!(answers.iter().all(|answer| answer.is(201).body == answers[0].body));
    let firsts = answers.iter().filter(|it| it.header("Idempotent-Replayed") == Some("false"));
    assert_eq!(firsts.count(), 1);
    assert_eq!(one.charges() + other.charges(), 1);
    assert_eq!(one.payments().await.len(), 1);
}

pub async fn many_keys_at_once_do_not_disturb_each_other(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let keys = |at| format!("k{}", at % 20);
    let answers = at_once((0..100).map(|at| app.payment(&keys(at), BODY))).await;
    let firsts = answers.iter().filter(|it| it.is(201).header("Original-Request-Id").is_none());
    assert_eq!(firsts.count(), 20);
    assert_eq!(app.charges(), 20);
    assert_eq!(app.payments().await.len(), 20);
}

pub async fn requests_in_one_breath_on_one_connection_pay_once(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let mut wire = app.connect().await;
    wire.send(wire::payment(&["Idempotency-Key: k"], BODY).repeat(5)).await;
    let first = wire.answer().await;
    first.is_first();
    for _ in 1..5 {
        assert_eq!(wire.answer().await.is_repeat().text(), first.text());
    }
    app.has_paid_once().await;
}

pub async fn a_duplicate_that_does_not_wait_is_told_at_once(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &latency!("3s")).await;
    let first = app.begin_to_pay("k", BODY).await;
    let refused = Answer::to(waiting(&app, "k", "wait=0")).await;
    assert!(!first.is_finished(), "the first was to be running still");
    refused.is_refused(409, "idempotency_key_in_use");
    let seconds = refused.header("Retry-After").expect("when to come again");
    assert!(seconds.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{seconds}");
    assert_eq!(refused.header("Idempotency-Key"), Some("k"));
    assert_eq!(refused.header("Idempotency-Expires"), None);
    let duplicate = app.paying("k", BODY);
    let paid = first.await.expect("it is answered");
    paid.is_first();
    refused.links(&paid.id());
    for repeat in [duplicate.await.expect("it is answered"), app.pay("k", BODY).await] {
        assert_eq!(repeat.is_repeat().text(), paid.text());
    }
    app.has_paid_once().await;
}

pub async fn a_duplicate_waits_as_long_as_it_is_let(database: Arc<Database>) {
    let variables =
        [("PAYONCE__IDEMPOTENCY__WAIT", "100ms"), ("PAYONCE__IDEMPOTENCY__WAIT_MAX", "200ms")];
    let app = TestApp::spawn(&database, &variables).await;
    let running = Elsewhere::opens_a_payment(&app, "k").await;
    for wait in ["", "wait=1", "wait=3600", "wait=never", "respond=soon", "wait=-1", "wait=0"] {
        let refused = Answer::to(waiting(&app, "k", wait)).await;
        refused.is_refused(409, "idempotency_key_in_use");
        refused.links(&running.payment());
    }
    assert_eq!(app.waiters.waiting(), 0);
    app.until_key_is("k", "in_progress").await;
    assert!(running.settles().await);
    app.pay("k", BODY).await.is_repeat();
    assert_eq!(app.charges(), 0);
}

pub async fn a_duplicate_gets_the_answer_that_another_instance_stores(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let running = Elsewhere::opens_a_payment(&app, "k").await;
    let waiter = tokio::spawn(Answer::to(waiting(&app, "k", "wait=3600")));
    eventually("it waits", async || (app.waiters.waiting() == 1).then_some(())).await;
    assert!(running.settles().await);
    let answer = waiter.await.expect("it is answered");
    assert_eq!(answer.is_repeat().id(), running.payment());
    assert_eq!(answer.header("Original-Request-Id"), Some("elsewhere"));
}

pub async fn another_request_is_refused_while_the_first_runs(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let running = Elsewhere::opens_a_payment(&app, "k").await;
    for (other, fields) in [
        (r#"{"amount":7}"#, json!(["amount"])),
        (r#"{"amount":100,"currency":"EUR"}"#, json!(["currency"])),
        (r#"{"amount":100,"metadata":{"a":""}}"#, json!(["metadata"])),
        (
            r#"{"amount":1,"reference":"r","description":""}"#,
            json!(["amount", "reference", "description"]),
        ),
    ] {
        let refused = Answer::to(app.payment("k", other).header("Prefer", "wait=3600")).await;
        let problem = refused.is_refused(422, "idempotency_key_reused");
        assert_eq!(problem["differing_fields"], fields);
        refused.links(&running.payment());
    }
    app.until_key_is("k", "in_progress").await;
    assert_eq!(app.charges(), 0);
    assert!(running.settles().await);
    assert_eq!(app.pay("k", BODY).await.is_repeat().id(), running.payment());
}

pub async fn a_hundred_waiters_delay_nobody_else(database: Arc<Database>) {
    let variables = [("PAYONCE__DATABASE__POOL_SIZE", "2")];
    let app = TestApp::spawn(&database, &variables).await;
    let running = Elsewhere::opens_a_payment(&app, "k").await;
    let waiters: Vec<_> =
        (0..100).map(|_| tokio::spawn(Answer::to(waiting(&app, "k", "wait=3600")))).collect();
    eventually("all wait", async || (app.waiters.waiting() == 100).then_some(())).await;
    for key in 0..20 {
        app.pay(&key.to_string(), BODY).await.is_first();
    }
    app.get("/readyz").await.is(200);
    assert_eq!(app.payments().await.len(), 21);
    assert_eq!(app.waiters.waiting(), 100, "they were to be waiting still");
    assert!(running.settles().await);
    for waiter in waiters {
        let answer = waiter.await.expect("it is answered");
        assert_eq!(answer.is_repeat().id(), running.payment());
    }
    assert_eq!(app.charges(), 20);
}

pub async fn no_more_wait_than_there_are_places(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[("PAYONCE__IDEMPOTENCY__WAITERS", "1")]).await;
    let running = Elsewhere::opens_a_payment(&app, "k").await;
    let waiter = tokio::spawn(Answer::to(waiting(&app, "k", "wait=3600")));
    eventually("one waits", async || (app.waiters.waiting() == 1).then_some(())).await;
    let refused = Answer::to(waiting(&app, "k", "wait=3600")).await;
    refused.is_refused(409, "idempotency_key_in_use");
    assert_eq!(app.waiters.waiting(), 1, "the first was to be waiting still");
    app.pay("other", BODY).await.is_first();
    assert!(running.settles().await);
    waiter.await.expect("it is answered").is_repeat();
}
