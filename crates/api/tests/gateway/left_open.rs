//! `/pay` payments whose attempts failed, and whose clients come back, or do not.

use std::net::TcpListener;

use payonce_domain::payment::PaymentStatus;
use payonce_domain::ports::LedgerEntry;
use payonce_testing::TestDatabase;

use crate::services::{Answer, Running, eventually};
use crate::wiretap::Wiretap;

const REQUEST: &str = r#"{"user_id":"user123","amount":100.0,"idempotency_key":"k"}"#;
const FAILS_BEFORE: (&str, &str) = ("PAYONCE__FAKE_GATEWAY__MODE", "fail_before");
const SLOW: (&str, &str) = ("PAYONCE__FAKE_GATEWAY__MODE", "slow");
const SOON: (&str, &str) = ("PAYONCE__PAY__OPEN_FOR", "1s");
const LATE: (&str, &str) = ("PAYONCE__PAY__OPEN_FOR", "15m");

async fn pay(payer: &Running) -> Answer {
    payer.post("/pay", REQUEST).await
}

/// It is `{"error":"…"}`, and nothing is final.
#[track_caller]
fn is_error(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert!(body["error"].as_str().is_some_and(|words| !words.is_empty()), "{body}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{body}");
    assert!(!answer.headers.contains_key("idempotent-replayed"), "{answer:?}");
}

async fn is_paid(payer: &Running, answer: &Answer) {
    let payment = payer.only_payment().await;
    assert_eq!(payment.status(), PaymentStatus::Completed);
    let expected = format!(
        r#"{{"message":"Payment processed","payment_id":"{}","status":"COMPLETED"}}"#,
        payment.id
    );
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, text.as_ref()), (200, expected.as_str()));
}

fn count(events: &[String], event: &str) -> usize {
    events.iter().filter(|one| *one == event).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_payment_that_nobody_repeats_is_only_looked_up_and_then_voided() {
    for database in [TestDatabase::postgres(), TestDatabase::sqlite()] {
        let own = TestDatabase::sqlite();
        let gateway = Running::gateway(&own, &[FAILS_BEFORE]).await;
        let tap = Wiretap::on(gateway.address).await;
        let payer = Running::recovering_payer(&database, tap.address, &[SOON]).await;
        is_error(&pay(&payer).await, 500);
        assert_eq!((tap.charges(), tap.voids()), (3, 0));
        let is_final = async || payer.only_payment().await.status() == PaymentStatus::Failed;
        eventually("recovery has voided it", is_final).await;
        assert_eq!((tap.charges(), tap.voids()), (3, 1), "never sent again");
        assert!(tap.look_ups() >= 3, "looked up meanwhile");

        let events = payer.only_events().await;
        let end = ["void_intended", "void", "failed"].map(|event| format!("{event} by recovery"));
        assert_eq!(events[events.len() - 3..], end, "{events:?}");
        assert_eq!(count(&events, "attempt by request"), 3);
        assert!(count(&events, "left_open by recovery") >= 1, "{events:?}");
        assert_eq!(count(&events, "attempt by recovery"), 0, "{events:?}");

        let payment = payer.only_payment().await;
        assert_eq!(gateway.entry(payment.gateway_key).await, Some(LedgerEntry::Voided));
        for _ in 0..3 {
            let failed = pay(&payer).await;
            let text = String::from_utf8_lossy(&failed.body);
            assert_eq!((failed.status, text.as_ref()), (502, r#"{"error":"Gateway error"}"#));
            assert_eq!(failed.header("idempotent-replayed"), "true");
        }
        assert_eq!((tap.charges(), gateway.live_charges().await), (3, 0));
        assert!(payer.stop().await);
        assert!(gateway.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_resumes_an_open_payment_with_one_charge() {
    for database in [TestDatabase::postgres(), TestDatabase::sqlite()] {
        let own = TestDatabase::sqlite();
        let broken = Running::gateway(&own, &[FAILS_BEFORE]).await;
        let address = broken.address;
        let payer = Running::recovering_payer(&database, address, &[LATE]).await;
        is_error(&pay(&payer).await, 500);
        let id = payer.only_payment().await.id;
        assert!(broken.stop().await);
        let same = TcpListener::bind(address).expect("the port is free again");
        let gateway = Running::gateway_at(same, &own, &[]).await;
        // The circuit may have opened meanwhile: its client backs off and repeats.
        let is_paid_now = async || pay(&payer).await.status == 200;
        eventually("it is paid", is_paid_now).await;
        is_paid(&payer, &pay(&payer).await).await;
        assert_eq!(payer.only_payment().await.id, id);
        assert_eq!(gateway.live_charges().await, 1);
        assert!(payer.stop().await);
        assert!(gateway.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_lands_late_completes_an_open_payment() {
    for database in [TestDatabase::postgres(), TestDatabase::sqlite()] {
        let own = TestDatabase::sqlite();
        let gateway = Running::gateway(&own, &[SLOW]).await;
        let tap = Wiretap::on(gateway.address).await;
        let payer = Running::recovering_payer(&database, tap.address, &[LATE]).await;
        is_error(&pay(&payer).await, 500);
        let sent = tap.charges();
        let is_final = async || payer.only_payment().await.status() == PaymentStatus::Completed;
        eventually("recovery has found it", is_final).await;
        let events = payer.only_events().await;
        assert_eq!(events.last().map(String::as_str), Some("completed by recovery"));
        assert_eq!((tap.charges(), tap.voids()), (sent, 0), "found, not sent again");
        is_paid(&payer, &pay(&payer).await).await;
        assert_eq!((tap.charges(), gateway.live_charges().await), (sent, 1));
        assert!(payer.stop().await);
        assert!(gateway.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_void_is_pending_a_repeat_is_a_conflict() {
    for database in [TestDatabase::postgres(), TestDatabase::sqlite()] {
        let own = TestDatabase::sqlite();
        let broken = Running::gateway(&own, &[FAILS_BEFORE]).await;
        let address = broken.address;
        let payer = Running::recovering_payer(&database, address, &[SOON]).await;
        is_error(&pay(&payer).await, 500);
        // Gone before the void, which therefore stays unconfirmed.
        assert!(broken.stop().await);
        let is_intended = async || {
            let events = payer.only_events().await;
            count(&events, "handed_over by recovery") >= 1
        };
        eventually("a void is intended", is_intended).await;
        let payment = payer.only_payment().await;
        assert_eq!(payment.status(), PaymentStatus::Processing);
        assert!(payment.void_intended_at.is_some());
        is_error(&pay(&payer).await, 409);
        is_error(&pay(&payer).await, 409);

        let same = TcpListener::bind(address).expect("the port is free again");
        let gateway = Running::gateway_at(same, &own, &[]).await;
        let is_final = async || pay(&payer).await.status == 502;
        eventually("the void is confirmed", is_final).await;
        assert_eq!(gateway.live_charges().await, 0);
        assert!(payer.stop().await);
        assert!(gateway.stop().await);
    }
}
