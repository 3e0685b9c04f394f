//! What the service shows of itself at `/metrics`.

use std::sync::Arc;

use payonce_testing::metrics::Shown;
use reqwest::Method;

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp, eventually};
use crate::hidden::Hidden;
use crate::latency;
use crate::wire::{self, Wire};

const DOCUMENT: &str = include_str!("../../../../docs/METRICS.md");

const FAILS: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "1");
const DECLINES: (&str, &str) = ("PAYONCE__GATEWAY__SIMULATED__DECLINE_RATE", "1");

const REQUESTS: &str = "payonce_http_request_duration_seconds_count";
const CALLS: &str = "payonce_gateway_call_duration_seconds_count";

async fn shown(app: &TestApp) -> Shown {
    let answer = app.get("/metrics").await;
    let media_type = answer.is(200).header("Content-Type").expect("a media type");
    assert!(media_type.starts_with("text/plain; version=0.0.4"), "{media_type}");
    Shown::parse(&answer.text())
}

/// Waits until a metric has come to that value.
async fn until(app: &TestApp, name: &str, labels: &[(&str, &str)], value: f64) -> Shown {
    let what = format!("{name} {labels:?} is {value}");
    let look = async || {
        let shown = shown(app).await;
        (shown.sum_or_zero(name, labels) == value).then_some(shown)
    };
    eventually(&what, look).await
}

pub async fn metrics_are_explained_and_begin_at_zero(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let shown = shown(&app).await;
    assert_eq!(shown.unexplained(), Vec::<&str>::new());
    for name in shown.names() {
        assert!(DOCUMENT.contains(&format!("`{name}`")), "{name} is not in docs/METRICS.md");
    }
    for name in ["payment_requests_total", "payment_requests_failed"] {
        let [sample] = shown.of(name, &[])[..] else { panic!("{name} is one series") };
        assert!(sample.labels.is_empty() && sample.value == 0.0, "{sample:?}");
    }
    for name in [
        "payonce_replays_total",
        "payonce_replay_cache_hits_total",
        "payonce_replay_cache_misses_total",
        "payonce_replay_cache_evictions_total",
        "payonce_replay_cache_entries",
        "payonce_replay_cache_bytes",
        "payonce_mismatches_total",
        "payonce_conflicts_total",
        "payonce_fenced_writes_total",
        "payonce_lease_take_overs_total",
        "payonce_gateway_retries_total",
        "payonce_unknown_outcomes_total",
        "payonce_reviews_total",
        "payonce_payments_settled_total",
        "payonce_waiters",
        "payonce_payments_under_way",
        "payonce_pool_waiting",
        "payonce_unsettled_payments",
        "payonce_unsettled_oldest_age_seconds",
        "payonce_queue_depth",
        "payonce_queue_lag_seconds",
        "payonce_dead_transactions",
        "payonce_transactions_ingested_total",
        "payonce_transactions_processed_total",
        "payonce_rate_limited_total",
        "payonce_left_open_total",
    ] {
        assert_eq!(shown.sum(name, &[]), 0.0, "{name}");
    }
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(shown.sum("payonce_build_info", &version), 1.0);
    let pools = if database.is_postgres() { &["shared"][..] } else { &["writer", "readers"] };
    for pool in pools {
        assert!(shown.sum("payonce_pool_limit", &[("pool", pool)]) >= 1.0, "{pool}");
    }
    assert_eq!(shown.sum("payonce_http_requests_in_flight", &[]), 1.0, "the one that asks");
}

pub async fn a_request_is_counted_by_what_became_of_it(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let other = TestApp::spawn(&database, &[]).await;
    app.pay("k", BODY).await.is_first();
    app.pay("k", BODY).await.is_repeat();
    app.pay("k", r#"{"amount":7}"#).await.is(422);
    app.pay("bad", r#"{"amount":-7}"#).await.is(400);
    Answer::to(app.post("/payments").header("Idempotency-Key", "k").body(BODY)).await.is_repeat();
    app.get("/v1/payments").await.is(200);

    let shown = shown(&app).await;
    assert_eq!(shown.sum("payment_requests_total", &[]), 5.0);
    assert_eq!(shown.sum("payment_requests_failed", &[]), 0.0);
    let route = ("route", "/v1/payments");
    for (name, labels, value) in [
        (REQUESTS, &[route, ("method", "POST"), ("status", "2xx"), ("outcome", "ok")][..], 1.0),
        (REQUESTS, &[route, ("outcome", "replayed"), ("gateway", "simulated")], 1.0),
        (REQUESTS, &[route, ("status", "4xx"), ("outcome", "idempotency_key_reused")], 1.0),
        (REQUESTS, &[route, ("status", "4xx"), ("outcome", "validation_failed")], 1.0),
        (REQUESTS, &[route, ("method", "GET"), ("gateway", "none")], 1.0),
        ("payonce_replays_total", &[route, ("gateway", "simulated")], 1.0),
        ("payonce_replays_total", &[("route", "/payments")], 1.0),
        ("payonce_mismatches_total", &[route], 1.0),
        ("payonce_conflicts_total", &[], 0.0),
        ("payonce_payments_settled_total", &[("outcome", "completed")], 1.0),
        (CALLS, &[("call", "charge"), ("outcome", "approved"), ("gateway", "simulated")], 1.0),
        (CALLS, &[], 1.0),
        ("payonce_gateway_retries_total", &[], 0.0),
    ] {
        assert_eq!(shown.sum(name, labels), value, "{name} {labels:?}");
    }
    // Another service in the same process counts for itself.
    assert_eq!(self::shown(&other).await.sum("payment_requests_total", &[]), 0.0);
}

pub async fn a_duplicate_shows_while_it_waits_and_when_it_gives_up(database: Arc<Database>) {
    let [min, max] = latency!("1500ms");
    let app = TestApp::spawn(&database, &[min, max]).await;
    let first = app.begin_to_pay("k", BODY).await;
    let second = app.paying("k", BODY);
    let shown = until(&app, "payonce_waiters", &[], 1.0).await;
    assert_eq!(shown.sum("payonce_payments_under_way", &[]), 1.0);
    assert_eq!(shown.sum("payonce_http_requests_in_flight", &[]), 3.0);
    let third = app.payment("k", BODY).header("Prefer", "wait=0");
    Answer::to(third).await.is_refused(409, "idempotency_key_in_use");
    first.await.expect("it ends").is_first();
    second.await.expect("it ends").is_repeat();

    let shown = self::shown(&app).await;
    assert_eq!(shown.sum("payonce_conflicts_total", &[]), 1.0);
    assert_eq!(shown.sum("payonce_replays_total", &[]), 1.0, "the one that waited");
    assert_eq!(shown.sum("payonce_waiters", &[]), 0.0);
}

pub async fn a_failing_gateway_shows_in_retries_and_failed_requests(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[FAILS]).await;
    app.pay("k", BODY).await.is(502);
    app.pay("k", BODY).await.is(502).is_replay(true);
    let declining = TestApp::spawn(&database, &[DECLINES]).await;
    declining.pay("declined", BODY).await.is(402);

    let failing = shown(&app).await;
    assert_eq!(failing.sum("payonce_gateway_retries_total", &[]), 2.0);
    assert_eq!(failing.sum("payment_requests_total", &[]), 2.0);
    assert_eq!(failing.sum("payment_requests_failed", &[]), 2.0);
    assert_eq!(failing.sum(REQUESTS, &[("status", "5xx"), ("outcome", "gateway_error")]), 1.0);
    for (call, outcome, times) in
        [("charge", "unknown", 3.0), ("look_up", "unseen", 1.0), ("void", "voided", 1.0)]
    {
        let labels = [("call", call), ("outcome", outcome)];
        assert_eq!(failing.sum(CALLS, &labels), times, "{labels:?}");
    }
    let settled = [("outcome", "gateway_error"), ("gateway", "simulated")];
    assert_eq!(failing.sum("payonce_payments_settled_total", &settled), 1.0);

    let declining = shown(&declining).await;
    assert_eq!(declining.sum("payment_requests_failed", &[]), 0.0, "a decline is no failure");
    let declined = [("outcome", "payment_declined")];
    assert_eq!(declining.sum("payonce_payments_settled_total", &declined), 1.0);
    assert_eq!(declining.sum(REQUESTS, &declined), 1.0);
}

pub async fn an_unknown_outcome_shows_with_its_age(database: Arc<Database>) {
    let [min, max] = latency!("1h");
    let variables = [
        min,
        max,
        ("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "50ms"),
        ("PAYONCE__GATEWAY__DEADLINE", "2s"),
    ];
    let app = TestApp::spawn(&database, &variables).await;
    app.pay("k", BODY).await.is(202);
    let unknown = [("state", "unknown")];
    let shown = until(&app, "payonce_unsettled_payments", &unknown, 1.0).await;
    assert!(shown.sum("payonce_unsettled_oldest_age_seconds", &unknown) > 0.0);
    assert_eq!(shown.sum("payonce_unsettled_payments", &[]), 1.0);
    assert_eq!(shown.sum("payonce_unknown_outcomes_total", &[("gateway", "simulated")]), 1.0);
    assert_eq!(shown.sum(CALLS, &[("call", "charge"), ("outcome", "timeout")]), 3.0);
    assert_eq!(shown.sum(REQUESTS, &[("outcome", "pending")]), 1.0);
    // Nobody takes it here: it becomes due, and waits.
    let lag = async || {
        let shown = self::shown(&app).await;
        let lag = shown.sum("payonce_queue_lag_seconds", &[("queue", "payments")]);
        (lag > 0.0 && shown.sum("payonce_queue_depth", &[]) == 1.0).then_some(())
    };
    eventually("it is due", lag).await;
}

pub async fn labels_stay_few_whatever_is_asked(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let ask = async |from: u32| {
        for number in from..from + 20 {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).expect("a method");
            let path = format!("/nowhere/{number}");
            Answer::to(app.request(method.clone(), &path)).await.is(404);
            Answer::to(app.request(method, "/v1/payments")).await.is(405);
            app.get(&path).await.is(404);
            app.get(&format!("/v1/payments/{}", uuid::Uuid::from_u128(number.into()))).await;
            app.get(&format!("/v1/idempotency-keys/secret-{number}")).await.is(404);
            app.pay(&format!("secret-{number}"), BODY).await.is_first();
            app.pay(&format!("secret-{number}"), BODY).await.is_repeat();
        }
        shown(&app).await.series()
    };
    // Asking for metrics is a series itself.
    shown(&app).await;
    let before = ask(0).await;
    assert_eq!(ask(20).await, before);
    let all = format!("{before:?}");
    assert!(!all.contains("secret-") && !all.contains("nowhere") && !all.contains("M1"), "{all}");
    assert!(all.contains("unmatched") && all.contains("other"), "{all}");
}

pub async fn metrics_are_there_before_the_database_is(database: Arc<Database>) {
    let hidden = Hidden::new(&database);
    let app = TestApp::start(&database, hidden.url(), &[]);
    for path in ["/metrics", "/metrics/"] {
        Shown::parse(&app.get(path).await.is(200).text());
    }
    app.pay("k", BODY).await.is(503);
    let shown = shown(&app).await;
    assert_eq!(shown.sum("payment_requests_failed", &[]), 1.0);
    assert_eq!(shown.sum(REQUESTS, &[("outcome", "store_unavailable")]), 1.0);
}

pub async fn a_request_whose_client_is_gone_is_counted(database: Arc<Database>) {
    let [min, max] = latency!("500ms");
    let app = TestApp::spawn(&database, &[min, max]).await;
    let mut wire: Wire = app.connect().await;
    wire.send(wire::payment(&["Idempotency-Key: k"], BODY)).await;
    app.until_key_is("k", "in_progress").await;
    wire.reset();
    let gone = [("outcome", "client_gone"), ("status", "none"), ("route", "/v1/payments")];
    let shown = until(&app, REQUESTS, &gone, 1.0).await;
    assert_eq!(shown.sum("payment_requests_total", &[]), 1.0);
    // The one that asks. What is shown is not read at one moment: the other may still be in it.
    until(&app, "payonce_http_requests_in_flight", &[], 1.0).await;
    app.until_key_is("k", "completed").await;
}

pub async fn announced_transactions_are_counted_by_what_became_of_them(database: Arc<Database>) {
    let at_once = [("PAYONCE__TRANSACTIONS__PROCESSING_DELAY", "0s")];
    let app = TestApp::spawn(&database, &at_once).await;
    let body = crate::webhooks::BODY;
    for body in [body.to_owned(), body.to_owned(), body.to_owned(), body.replace("1500", "7")] {
        Answer::to(crate::webhooks::webhook(&app, body)).await.is(202);
    }
    Answer::to(crate::webhooks::webhook(&app, "{}")).await.is(422);
    let queue = ("queue", "transactions");
    let shown = until(&app, "payonce_queue_depth", &[queue], 1.0).await;
    for (outcome, value) in [("new", 1.0), ("duplicate", 2.0), ("conflict", 1.0)] {
        let counted = shown.sum("payonce_transactions_ingested_total", &[("outcome", outcome)]);
        assert_eq!(counted, value, "{outcome}");
    }
    let processed = shown.sum("payonce_transactions_processed_total", &[]);
    assert_eq!(processed, 0.0, "nobody works on it");
}
