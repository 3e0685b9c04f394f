//! `/fake-gateway/start/`: the unstable gateway itself.

use std::time::Duration;

use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::LedgerEntry;
use payonce_testing::TestDatabase;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use uuid::Uuid;

use crate::services::{Answer, Running, send, settings};

const KEY: Uuid = Uuid::from_u128(0x5747);

fn start(gateway: &Running) -> RequestBuilder {
    gateway.request(Method::POST, "/fake-gateway/start/")
}

fn start_with(gateway: &Running, key: &str) -> RequestBuilder {
    start(gateway).header("Idempotency-Key", key)
}

/// It is charged; returns the gateway's reference.
#[track_caller]
fn is_charged(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    let reference = answer.json()["payment_id"].as_str().expect("a reference").to_owned();
    assert!(reference.starts_with("ch_"), "{reference}");
    assert_eq!(answer.body, format!(r#"{{"payment_id":"{reference}"}}"#).as_bytes());
    reference
}

#[test]
fn it_fails_at_30_percent_and_takes_half_a_second_to_two_unless_told_otherwise() {
    let defaults = settings(&TestDatabase::sqlite(), &[]).fake_gateway;
    assert!(defaults.enabled && defaults.mode.is_none());
    assert!((defaults.failure_rate - 0.3).abs() < f64::EPSILON);
    let latency = (defaults.latency_min, defaults.latency_max);
    assert_eq!(latency, (Duration::from_millis(500), Duration::from_secs(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_body_may_be_anything_or_empty() {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres()] {
        let gateway = Running::gateway(&database, &[]).await;
        let mut references = vec![
            is_charged(&send(start(&gateway)).await),
            is_charged(&send(gateway.request(Method::POST, "/fake-gateway/start")).await),
        ];
        let deep = "[".repeat(20_000);
        let bodies: [&[u8]; 10] = [
            b"{}",
            b"null",
            b"[]",
            b"not json",
            br#"{"order_id":"ORD123","amount":100.0}"#,
            br#"{"amount":"12.34"}"#,
            br#"{"amount":{"value":1}}"#,
            br#"{"amount":-1,"amount":2}"#,
            b"\xff\x00\xfe",
            deep.as_bytes(),
        ];
        for body in bodies {
            let plain = start(&gateway).body(body.to_vec());
            references.push(is_charged(&send(plain).await));
            let json = start(&gateway).header("Content-Type", "application/json");
            references.push(is_charged(&send(json.body(body.to_vec())).await));
        }
        // Without a key every request is a charge of its own.
        let requests = references.len();
        references.sort();
        references.dedup();
        assert_eq!(references.len(), requests);
        assert_eq!(gateway.live_charges().await, u64::try_from(requests).expect("few"));
        assert!(gateway.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fails_always_or_never_as_it_is_told() {
    let database = TestDatabase::sqlite();
    let broken = [("PAYONCE__FAKE_GATEWAY__FAILURE_RATE", "1")];
    let broken = Running::gateway(&database, &broken).await;
    let well = Running::gateway(&database, &[]).await;
    for _ in 0..10 {
        let failed = send(start_with(&broken, "order-1")).await;
        assert_eq!(
            (failed.status, &failed.json()["error"]["code"]),
            (500, &json!("internal_error"))
        );
        assert_eq!(well.live_charges().await, 0);
    }
    let first = is_charged(&send(start_with(&well, "order-1")).await);
    for _ in 0..10 {
        assert_eq!(is_charged(&send(start_with(&well, "order-1")).await), first);
    }
    assert_eq!(well.live_charges().await, 1);
    assert!(broken.stop().await);
    assert!(well.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_any_form_is_charged_once() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let uuid = KEY.to_string();
    let keys = [uuid.as_str(), "order-1", "order-2", "Order-1", "a b", "123"];
    let mut references = Vec::new();
    for key in keys {
        let first = is_charged(&send(start_with(&gateway, key)).await);
        for _ in 0..3 {
            assert_eq!(is_charged(&send(start_with(&gateway, key)).await), first);
        }
        references.push(first);
    }
    references.sort();
    references.dedup();
    assert_eq!(references.len(), keys.len());
    assert_eq!(gateway.live_charges().await, 6);
    let twice = send(start_with(&gateway, "one").header("Idempotency-Key", "two")).await;
    assert_eq!(twice.status, 400, "{twice:?}");
    let dearer = start_with(&gateway, "order-1").body(r#"{"amount":7}"#);
    let dearer = send(dearer).await;
    assert_eq!((dearer.status, &dearer.json()["error"]["code"]), (422, &json!("key_reused")));
    assert_eq!(gateway.live_charges().await, 6);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_at_once_with_one_key_one_is_charged() {
    let database = TestDatabase::sqlite();
    let slow = [
        ("PAYONCE__FAKE_GATEWAY__LATENCY_MIN", "50ms"),
        ("PAYONCE__FAKE_GATEWAY__LATENCY_MAX", "60ms"),
    ];
    let gateway = Running::gateway(&database, &slow).await;
    let calls = (0..16).map(|_| send(start_with(&gateway, "order-1")));
    let answers = futures_util::future::join_all(calls).await;
    let charged: Vec<_> = answers.iter().filter(|it| it.status == 200).map(is_charged).collect();
    assert!(!charged.is_empty() && charged.iter().all(|one| *one == charged[0]), "{answers:?}");
    let others = answers.iter().filter(|it| it.status != 200);
    assert!(others.clone().all(|it| it.status == 409), "{answers:?}");
    assert_eq!(gateway.live_charges().await, 1);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_looked_up_and_voided_as_any_other_charge() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    assert_eq!(gateway.look_up(KEY).await.status, 404);
    let body = r#"{"order_id":"ORD123","amount":"12.34"}"#;
    let charged = send(start_with(&gateway, &KEY.to_string()).body(body)).await;
    let reference = is_charged(&charged);
    let found = gateway.look_up(KEY).await;
    assert_eq!((found.status, &found.json()["id"]), (200, &json!(reference)));
    assert_eq!(
        (&found.json()["status"], &found.json()["amount"]),
        (&json!("approved"), &json!("12.34"))
    );
    let settled = gateway.void(KEY).await;
    assert_eq!((settled.status, &settled.json()["error"]["code"]), (409, &json!("charge_settled")));

    let burnt = Uuid::from_u128(2);
    assert_eq!(gateway.void(burnt).await.status, 200);
    let refused = send(start_with(&gateway, &burnt.to_string())).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (410, &json!("key_voided")));
    assert_eq!(gateway.live_charges().await, 1);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_name_its_mode() {
    let database = TestDatabase::sqlite();
    let gateway = Running::gateway(&database, &[]).await;
    let in_mode = |number: u128, mode: &str| {
        start_with(&gateway, &Uuid::from_u128(number).to_string())
            .header("X-Fake-Gateway-Mode", mode)
    };
    let entry = |number| gateway.entry(GatewayKey(Uuid::from_u128(number)));
    assert_eq!(send(in_mode(1, "fail_before")).await.status, 500);
    assert_eq!(entry(1).await, None);
    assert_eq!(send(in_mode(2, "not_executed_429")).await.status, 429);
    assert_eq!(entry(2).await, None);
    assert_eq!(send(in_mode(3, "error_after_charge")).await.status, 500);
    assert!(matches!(entry(3).await, Some(LedgerEntry::Charge(_))));
    let garbled = send(in_mode(4, "malformed")).await;
    serde_json::from_slice::<serde_json::Value>(&garbled.body).expect_err("it is garbled");
    assert!(matches!(entry(4).await, Some(LedgerEntry::Charge(_))));
    let reset = in_mode(5, "charge_then_reset").send().await;
    assert!(reset.is_err() || reset.expect("it began").bytes().await.is_err());
    assert!(matches!(entry(5).await, Some(LedgerEntry::Charge(_))));
    let silent = in_mode(6, "charge_then_timeout").timeout(Duration::from_millis(500)).send().await;
    assert!(silent.expect_err("no answer comes").is_timeout());
    assert!(matches!(entry(6).await, Some(LedgerEntry::Charge(_))));
    let declined = send(in_mode(7, "decline")).await;
    assert_eq!(
        (declined.status, &declined.json()["error"]["code"]),
        (402, &json!("card_declined"))
    );
    let Some(LedgerEntry::Charge(charge)) = entry(7).await else { panic!("it is in the books") };
    assert_eq!(charge.decline_code.as_deref(), Some("card_declined"));
    assert_eq!(send(in_mode(8, "chaos")).await.status, 400);
    assert_eq!(entry(8).await, None);
    assert_eq!(gateway.live_charges().await, 4);
    assert!(gateway.stop().await);
}
