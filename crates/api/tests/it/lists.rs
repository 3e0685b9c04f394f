//! Reading payments.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::utc;
use crate::app::{BODY, Database, TestApp};
use crate::elsewhere::Elsewhere;

/// Pays under these keys, one after the other; returns the ids, newest first.
async fn pay_under(app: &TestApp, keys: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut ids = Vec::new();
    for key in keys {
        let paid = app.pay(&key, format!(r#"{{"amount":1,"reference":"of {key}"}}"#)).await;
        ids.push(paid.is_first().id());
    }
    ids.reverse();
    ids
}

async fn page(app: &TestApp, query: &str) -> (Vec<String>, Option<String>) {
    let page = app.get(&format!("/v1/payments?{query}")).await.is(200).json();
    let members: Vec<_> = page.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["data", "next_cursor"]);
    let payments = page["data"].as_array().expect("a list");
    let ids = payments.iter().map(|payment| payment["id"].as_str().expect("an id").to_owned());
    (ids.collect(), page["next_cursor"].as_str().map(str::to_owned))
}

async fn ids(app: &TestApp, query: &str) -> Vec<String> {
    let (ids, next) = page(app, query).await;
    assert_eq!(next, None, "{query}");
    ids
}

pub async fn an_empty_list_has_the_documented_form(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let list = app.get("/v1/payments").await;
    assert_eq!(list.is(200).text(), r#"{"data":[],"next_cursor":null}"#);
    assert_eq!(list.header("Content-Type"), Some("application/json"));
}

pub async fn pages_run_from_the_newest_to_the_oldest(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let all = pay_under(&app, (0..25).map(|at| format!("k{at}"))).await;
    for limit in [1, 7, 24, 25, 26, 100] {
        let (mut seen, mut query) = (Vec::new(), format!("limit={limit}"));
        loop {
            let (ids, next) = page(&app, &query).await;
            assert!(!ids.is_empty() && ids.len() <= limit, "{query}: {ids:?}");
            seen.extend(ids);
            let Some(cursor) = next else { break };
            query = format!("limit={limit}&cursor={cursor}");
        }
        assert_eq!(seen, all, "pages of {limit}");
    }
    let (first, next) = page(&app, "").await;
    assert_eq!(first, all[..20]);
    let newer = pay_under(&app, ["newer".to_owned()]).await;
    assert_eq!(ids(&app, &format!("cursor={}", next.expect("more"))).await, all[20..]);
    assert_eq!(page(&app, "limit=1").await.0, newer);
}

pub async fn each_filter_selects(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let running = Elsewhere::opens_a_payment(&app, "running").await;
    let paid = pay_under(&app, (0..3).map(|at| format!("k/{at}"))).await;
    let all = [&paid[..], &[running.payment()]].concat();
    assert_eq!(ids(&app, "status=PROCESSING").await, [running.payment()]);
    assert_eq!(ids(&app, "status=COMPLETED").await, paid);
    assert_eq!(ids(&app, "status=FAILED").await, [""; 0]);
    assert_eq!(ids(&app, "status=NEEDS_REVIEW").await, [""; 0]);
    assert_eq!(ids(&app, "reference=of+k%2F1").await, paid[1..2]);
    assert_eq!(ids(&app, "reference=none").await, [""; 0]);
    assert_eq!(ids(&app, "idempotency_key=running").await, [running.payment()]);
    assert_eq!(ids(&app, "idempotency_key=k%2F2").await, paid[..1]);
    assert_eq!(ids(&app, "idempotency_key=K%2F2").await, [""; 0]);

    let payments = app.payments().await;
    let created = |at: usize| payments[at]["created_at"].as_str().expect("a time").to_owned();
    assert_eq!(ids(&app, &format!("created_from={}", created(1))).await, all[..2]);
    assert_eq!(ids(&app, &format!("created_to={}", created(1))).await, all[2..]);
    let both = format!("created_from={}&created_to={}", created(2), created(0));
    assert_eq!(ids(&app, &both).await, all[1..3]);
    let elsewhere = utc(&created(1)).to_offset(time::macros::offset!(+5:30));
    let elsewhere = elsewhere.format(&time::format_description::well_known::Rfc3339);
    let elsewhere = elsewhere.expect("RFC 3339").replace('+', "%2B");
    assert_eq!(ids(&app, &format!("created_from={elsewhere}")).await, all[..2]);
    assert_eq!(ids(&app, "created_from=9999-12-31T23:59:59Z").await, [""; 0]);
    assert_eq!(ids(&app, "created_to=1970-01-01T00:00:00Z").await, [""; 0]);

    let (first, next) = page(&app, "status=COMPLETED&limit=2").await;
    assert_eq!(first, paid[..2]);
    let rest = format!("status=COMPLETED&limit=2&cursor={}", next.expect("more"));
    assert_eq!(ids(&app, &rest).await, paid[2..]);
}

pub async fn every_bad_parameter_is_named(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for (query, named) in [
        ("limit=0", vec!["limit"]),
        ("limit=101", vec!["limit"]),
        ("limit=-1", vec!["limit"]),
        ("limit=ten", vec!["limit"]),
        ("limit=", vec!["limit"]),
        ("limit=99999999999999999999", vec!["limit"]),
        ("limit=1&limit=1", vec!["limit"]),
        ("cursor=abc", vec!["cursor"]),
        ("cursor=", vec!["cursor"]),
        ("cursor=%00", vec!["cursor"]),
        ("status=completed", vec!["status"]),
        ("status=", vec!["status"]),
        ("reference=", vec!["reference"]),
        ("reference=a%00", vec!["reference"]),
        ("idempotency_key=", vec!["idempotency_key"]),
        ("idempotency_key=a%00", vec!["idempotency_key"]),
        ("created_from=yesterday", vec!["created_from"]),
        ("created_to=2026-01-31", vec!["created_to"]),
        ("created_to=2026-13-31T00:00:00Z", vec!["created_to"]),
        ("page=2", vec!["page"]),
        ("Limit=1", vec!["Limit"]),
        (
            "limit=0&cursor=x&status=y&reference=&created_from=z&created_to=z&page=2",
            vec!["created_from", "created_to", "cursor", "limit", "page", "reference", "status"],
        ),
    ] {
        let refused = app.get(&format!("/v1/payments?{query}")).await;
        let problem = refused.is_problem(400, "validation_failed");
        assert_eq!(problem.get("safe_new_key"), None);
        let mut fields: Vec<_> = refused.wrong_fields().into_iter().map(|(it, _)| it).collect();
        fields.sort();
        assert_eq!(fields, named, "{query}");
    }
    app.get("/v1/payments?limit=100&").await.is(200);
}

pub async fn a_far_time_selects_all_or_nothing(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let all = pay_under(&app, ["k".to_owned()]).await;
    let (past, future) = ("0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z");
    assert_eq!(ids(&app, &format!("created_from={past}")).await, all);
    assert_eq!(ids(&app, &format!("created_to={future}")).await, all);
    assert_eq!(ids(&app, &format!("created_from={future}")).await, [""; 0]);
    assert_eq!(ids(&app, &format!("created_to={past}")).await, [""; 0]);
}

pub async fn other_payments_are_not_found(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let id = app.pay("k", BODY).await.id();
    app.get(&format!("/v1/payments/{}", id.to_uppercase())).await.is(200);
    let unknown = Uuid::new_v4().to_string();
    for other in [unknown.as_str(), &Uuid::nil().to_string(), "k", "1", &id[1..], "%00", "'--"] {
        for path in [format!("/v1/payments/{other}"), format!("/v1/payments/{other}/events")] {
            let problem = app.get(&path).await.is_problem(404, "payment_not_found");
            assert_eq!(problem.get("safe_new_key"), None, "{path}");
        }
    }
}

pub async fn a_payment_tells_its_history(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let paid = app.pay("k", BODY).await.json();
    let path = format!("/v1/payments/{}/events", paid["id"].as_str().expect("an id"));
    let timeline = app.get(&path).await.is(200).json();
    let events = timeline["data"].as_array().expect("a list");
    let shown = events.iter().map(|event| {
        let mut event = event.as_object().expect("an object").clone();
        let at = event.remove("at").expect("a time");
        (utc(at.as_str().expect("a text")), Value::from(event))
    });
    let (times, shown): (Vec<_>, Vec<_>) = shown.unzip();
    assert!(times.is_sorted());
    assert_eq!(times[0], utc(paid["created_at"].as_str().expect("a time")));
    let entry = |event: &str, attempt: Option<u32>, detail: Option<&str>| json!({"event": event, "by": "request", "owner": 1, "attempt": attempt, "detail": detail});
    let attempt = entry("attempt", Some(1), Some("approved"));
    assert_eq!(shown, [entry("created", None, None), attempt, entry("completed", None, None)]);
    let before = events.clone();
    app.pay("k", BODY).await.is_repeat();
    assert_eq!(app.get(&path).await.json()["data"], json!(before), "a replay is no event");
}

pub async fn a_time_at_the_end_of_the_calendar_is_no_fault(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for name in ["created_from", "created_to"] {
        let answer = app.get(&format!("/v1/payments?{name}=9999-12-31T23:59:59-23:59")).await;
        assert_eq!(answer.is_problem(400, "validation_failed")["errors"][0]["field"], name);
    }
}

pub async fn a_forged_cursor_is_no_fault_of_the_service(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for micros in [-377_673_601_536_000_000_i64, -213_640_565_040_000_000, -1, i64::MAX] {
        let bytes = [&micros.to_be_bytes()[..], Uuid::nil().as_bytes()].concat();
        let cursor = URL_SAFE_NO_PAD.encode(bytes);
        let answer = app.get(&format!("/v1/payments?cursor={cursor}")).await;
        answer.is_problem(400, "validation_failed");
    }
}
