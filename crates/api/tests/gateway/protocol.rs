//! The gateway itself, as its callers meet it.

use std::time::Duration;

use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::LedgerEntry;
use payonce_testing::TestDatabase;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::services::{Answer, Running, eventually, send, settings};

const KEY: Uuid = Uuid::from_u128(0x5eed);

fn code(answer: &Answer) -> Value {
    let body = answer.json();
    assert!(body["error"]["detail"].is_string(), "{body}");
    body["error"]["code"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_is_executed_once_and_replayed_byte_for_byte() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let first = send(gateway.charge(KEY)).await;
    assert_eq!(first.status, 201, "{first:?}");
    let expected = json!({
        "id": format!("ch_{}", KEY.simple()),
        "key": KEY.to_string(),
        "status": "approved",
        "amount": "100.00",
        "currency": "USD",
        "reference": "p-1",
        "decline_code": null,
    });
    assert_eq!(first.json(), expected);
    assert_eq!(first.header("content-type"), "application/json");
    // The first label stays; a method of null is one that was left out.
    let relabelled =
        r#"{"payment_method":null,"reference":"p-2","currency":"USD","amount":"100.00"}"#;
    for again in [gateway.charge(KEY), gateway.charge_of(KEY, relabelled)] {
        let again = send(again).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
    }
    let found = gateway.look_up(KEY).await;
    assert_eq!((found.status, &found.body), (200, &first.body));
    assert_eq!(gateway.get(&format!("/fake-gateway/charges/{KEY}/")).await.body, first.body);
    assert_eq!(gateway.live_charges().await, 1);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_are_read_page_by_page_with_the_means_of_payment() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let keys = [1, 2, 3].map(Uuid::from_u128);
    let body = r#"{"amount":"100.00","currency":"USD","payment_method":"tok_1"}"#;
    send(gateway.charge_of(keys[0], body)).await;
    send(gateway.charge(keys[1])).await;
    gateway.void(keys[2]).await;
    let first = gateway.get("/fake-gateway/charges?limit=2").await;
    assert_eq!(first.status, 200, "{first:?}");
    let first = first.json();
    let mut paid = gateway.look_up(keys[0]).await.json();
    paid["payment_method"] = json!("tok_1");
    assert_eq!(first["data"][0], paid);
    assert_eq!(first["data"][1]["payment_method"], Value::Null);
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let rest = gateway.get(&format!("/fake-gateway/charges/?cursor={cursor}")).await.json();
    assert_eq!(rest["data"].as_array().map(Vec::len), Some(1), "{rest}");
    assert_eq!(
        (&rest["data"][0]["status"], &rest["next_cursor"]),
        (&json!("voided"), &Value::Null)
    );
    for wrong in ["limit=0", "limit=1001", "cursor=1", "limit=1&limit=1", "after=1"] {
        let refused = gateway.get(&format!("/fake-gateway/charges?{wrong}")).await;
        assert_eq!(refused.status, 400, "{wrong}: {refused:?}");
        code(&refused);
    }
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_contents_under_a_known_key_do_nothing() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    send(gateway.charge(KEY)).await;
    for other in [
        r#"{"amount":"100.01","currency":"USD"}"#,
        r#"{"amount":"100.00","currency":"EUR"}"#,
        r#"{"amount":"100.00","currency":"USD","payment_method":"tok_1"}"#,
    ] {
        let refused = send(gateway.charge_of(KEY, other)).await;
        assert_eq!((refused.status, code(&refused)), (422, json!("key_reused")), "{other}");
    }
    assert_eq!(gateway.live_charges().await, 1);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burnt_key_is_never_charged_also_when_it_was_never_seen() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let unseen = gateway.look_up(KEY).await;
    assert_eq!((unseen.status, code(&unseen)), (404, json!("not_found")));
    for _ in 0..2 {
        let voided = gateway.void(KEY).await;
        assert_eq!((voided.status, &voided.json()["status"]), (200, &json!("voided")));
        assert_eq!(voided.json()["id"], Value::Null);
    }
    let refused = send(gateway.charge(KEY)).await;
    assert_eq!((refused.status, code(&refused)), (410, json!("key_voided")));
    assert_eq!(gateway.look_up(KEY).await.json()["status"], "voided");
    assert_eq!(gateway.live_charges().await, 0);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_charged_or_declined_is_beyond_voiding() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let charged = send(gateway.charge(KEY)).await;
    let settled = gateway.void(KEY).await;
    assert_eq!((settled.status, code(&settled)), (409, json!("charge_settled")));
    assert_eq!(settled.json()["charge"], charged.json());

    let other = Uuid::from_u128(2);
    let declined = send(gateway.charge(other).header("X-Fake-Gateway-Mode", "decline")).await;
    assert_eq!((declined.status, &declined.json()["status"]), (201, &json!("declined")));
    let stays = gateway.void(other).await;
    assert_eq!((stays.status, stays.body), (200, declined.body));
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_flight_answers_nothing_else() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let slow = gateway.charge(KEY).header("X-Fake-Gateway-Mode", "slow");
    let slow = tokio::spawn(send(slow));
    eventually("it is in flight", async || gateway.look_up(KEY).await.status == 409).await;
    for held_back in
        [send(gateway.charge(KEY)).await, gateway.look_up(KEY).await, gateway.void(KEY).await]
    {
        assert_eq!((held_back.status, code(&held_back)), (409, json!("charge_in_flight")));
        assert_eq!(held_back.header("retry-after"), "1");
    }
    let executed = slow.await.expect("it ends");
    assert_eq!(executed.status, 201);
    assert_eq!(gateway.look_up(KEY).await.body, executed.body);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_name_its_mode() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let charge =
        |number, mode| gateway.charge(Uuid::from_u128(number)).header("X-Fake-Gateway-Mode", mode);
    let failed = send(charge(1, "fail_before")).await;
    assert_eq!((failed.status, gateway.look_up(Uuid::from_u128(1)).await.status), (500, 404));
    let refused = send(charge(2, "not_executed_429")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(gateway.look_up(Uuid::from_u128(2)).await.status, 404);
    let failed = send(charge(3, "error_after_charge")).await;
    assert_eq!((failed.status, gateway.look_up(Uuid::from_u128(3)).await.status), (500, 200));
    let malformed = send(charge(4, "malformed")).await;
    assert_eq!(malformed.status, 201);
    serde_json::from_slice::<Value>(&malformed.body).expect_err("it is garbled");
    let wrong = send(charge(5, "wrong_amount")).await;
    assert_ne!(wrong.json()["amount"], "100.00");
    assert_eq!(gateway.look_up(Uuid::from_u128(5)).await.json()["amount"], "100.00");
    let reset = charge(6, "charge_then_reset").send().await;
    assert!(reset.is_err() || reset.expect("it began").bytes().await.is_err());
    assert_eq!(gateway.look_up(Uuid::from_u128(6)).await.status, 200);
    let silent = charge(7, "charge_then_timeout").timeout(Duration::from_millis(300)).send().await;
    assert!(silent.expect_err("no answer comes").is_timeout());
    assert_eq!(gateway.look_up(Uuid::from_u128(7)).await.status, 200);
    let unknown = send(charge(8, "chaos")).await;
    assert_eq!((unknown.status, code(&unknown)), (400, json!("invalid_request")));
    assert_eq!(gateway.live_charges().await, 5);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_before_the_key_is_looked_at() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let post = || gateway.request(Method::POST, "/fake-gateway/charges");
    let json =
        |request: reqwest::RequestBuilder| request.header("Content-Type", "application/json");
    let good = r#"{"amount":"1.00","currency":"USD"}"#;
    for (request, status, expected) in [
        (json(post()).body(good), 400, "invalid_request"),
        (json(post()).header("Idempotency-Key", "order-1").body(good), 400, "invalid_key"),
        (gateway.charge(KEY).header("Idempotency-Key", "2"), 400, "invalid_request"),
        (gateway.charge_of(KEY, "{}"), 400, "invalid_request"),
        (gateway.charge_of(KEY, r#"{"amount":"1","currency":"USD"}"#), 400, "invalid_request"),
        (
            post().header("Idempotency-Key", KEY.to_string()).body(good),
            415,
            "unsupported_media_type",
        ),
        (gateway.charge_of(KEY, &" ".repeat(70_000)), 413, "body_too_large"),
        (gateway.request(Method::PUT, "/fake-gateway/charges"), 405, "method_not_allowed"),
        (gateway.request(Method::GET, "/fake-gateway/charges/1"), 400, "invalid_key"),
        (gateway.request(Method::POST, "/fake-gateway/charges/x/void"), 400, "invalid_key"),
    ] {
        let refused = send(request).await;
        assert_eq!((refused.status, code(&refused)), (status, Value::from(expected)));
    }
    assert_eq!(gateway.entry(GatewayKey(KEY)).await, None::<LedgerEntry>);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_have_is_answered_by_the_one_it_has() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let charge = format!("/fake-gateway/charges/{KEY}");
    for (method, path, allowed) in [
        (Method::PUT, "/fake-gateway/charges", "GET, POST"),
        (Method::POST, charge.as_str(), "GET"),
        (Method::GET, &format!("{charge}/void"), "POST"),
    ] {
        let refused = send(gateway.request(method, path)).await;
        assert_eq!((refused.status, refused.header("Allow")), (405, allowed), "{path}");
    }
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_on_one_database_are_one_gateway() {
    let database = TestDatabase::postgres();
    let gateways = [Running::gateway(&database, &[]).await, Running::gateway(&database, &[]).await];
    for round in 1..=5 {
        let key = Uuid::from_u128(round);
        let calls = (0..10).map(|number| send(gateways[number % 2].charge(key)));
        let answers = futures_util::future::join_all(calls).await;
        let executed: Vec<_> = answers.iter().filter(|one| one.status == 201).collect();
        assert_eq!(executed.len(), 1, "{answers:?}");
        for answer in &answers {
            assert!([200, 201, 409].contains(&answer.status), "{answer:?}");
            assert!(answer.status == 409 || answer.body == executed[0].body, "{answer:?}");
        }
    }
    assert_eq!(gateways[0].live_charges().await, 5);
    for gateway in gateways {
        assert!(gateway.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fails_as_often_as_it_is_told_to() {
    let database = TestDatabase::sqlite();
    let gateway =
        Running::gateway(&database, &[("PAYONCE__FAKE_GATEWAY__FAILURE_RATE", "1")]).await;
    let failed = send(gateway.charge(KEY)).await;
    assert_eq!((failed.status, code(&failed)), (500, json!("internal_error")));
    assert_eq!(gateway.look_up(KEY).await.status, 404);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_there_only_where_it_is_enabled() {
    let database = TestDatabase::sqlite();
    let none = Running::gateway(&database, &[("PAYONCE__FAKE_GATEWAY__ENABLED", "false")]).await;
    let missing = send(none.charge(KEY)).await;
    assert_eq!((missing.status, &missing.json()["code"]), (404, &json!("route_not_found")));
    assert!(none.stop().await);
    assert!(settings(&TestDatabase::sqlite(), &[]).fake_gateway.enabled);
}
