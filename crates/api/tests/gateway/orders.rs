//! Orders at a gateway that breaks, is not there, or comes back.

use std::net::{SocketAddr, TcpListener};

use payonce_domain::payment::PaymentStatus;
use payonce_domain::ports::LedgerEntry;
use payonce_testing::TestDatabase;
use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::services::{Answer, Running, eventually};
use crate::wiretap::Wiretap;

const PATH: &str = "/payments/start/";
const ORDER: &str = r#"{"order_id":"ORD123","amount":100.0}"#;

async fn start(payer: &Running) -> Answer {
    payer.post(PATH, ORDER).await
}

#[track_caller]
fn is(answer: &Answer, status: u16, body: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, text.as_ref()), (status, body), "{answer:?}");
}

async fn is_paid(payer: &Running, answer: &Answer) {
    let payment = payer.only_payment().await;
    assert_eq!(payment.status(), PaymentStatus::Completed);
    is(answer, 200, &format!(r#"{{"payment_id":"{}"}}"#, payment.id));
}

/// A port that is ours and refuses every connection, until somebody listens.
fn closed_port() -> (Socket, SocketAddr) {
    let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    port.bind(&any.into()).expect("a port is free");
    let bound = port.local_addr().ok().and_then(|address| address.as_socket());
    (port, bound.expect("it is bound"))
}

fn opened(port: Socket) -> TcpListener {
    port.listen(128).expect("the port is ours");
    port.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_gateway_is_not_there_is_paid_once_it_is_back() {
    for database in [TestDatabase::postgres(), TestDatabase::sqlite()] {
        let own = TestDatabase::sqlite();
        let (port, address) = closed_port();
        let payer = Running::payer(&database, address, &[]).await;
        let refused = start(&payer).await;
        is(&refused, 503, r#"{"error":"Gateway unreachable"}"#);
        refused.header("retry-after").parse::<u32>().expect("seconds");
        let open = payer.only_payment().await;
        assert_eq!(open.status(), PaymentStatus::Processing);
        assert_eq!(open.void_intended_at, None, "its door is open");
        let report = payer.get("/payments/start/ORD123").await;
        let id = open.id.to_string();
        let expected = json!({"payment_id": id, "order_id": "ORD123", "status": "PROCESSING",
            "amount": "100.00"});
        assert_eq!((report.status, report.json()), (200, expected));
        assert_eq!(payer.post(PATH, r#"{"order_id":"ORD123","amount":7}"#).await.status, 422);

        let gateway = Running::gateway_at(opened(port), &own, &[]).await;
        let paid = start(&payer).await;
        is_paid(&payer, &paid).await;
        assert_eq!(payer.only_payment().await.id, open.id);
        let again = start(&payer).await;
        assert_eq!((again.status, again.body), (200, paid.body));
        assert_eq!(gateway.live_charges().await, 1);
        assert!(payer.stop().await);
        assert!(gateway.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_circuit_is_open_every_order_is_told_that_the_gateway_is_unreachable() {
    let databases = [TestDatabase::sqlite(), TestDatabase::sqlite()];
    let (port, address) = closed_port();
    let payer = Running::payer(&databases[0], address, &[]).await;
    for _ in 0..4 {
        is(&start(&payer).await, 503, r#"{"error":"Gateway unreachable"}"#);
    }
    // By now nothing is let through: an order that nobody knows is not even stored.
    let fresh = payer.post(PATH, r#"{"order_id":"ORD124","amount":100}"#).await;
    is(&fresh, 503, r#"{"error":"Gateway unreachable"}"#);
    assert_eq!(payer.get("/payments/start/ORD124").await.status, 404);
    let open = payer.only_payment().await;
    assert_eq!((open.status(), open.void_intended_at), (PaymentStatus::Processing, None));

    let gateway = Running::gateway_at(opened(port), &databases[1], &[]).await;
    eventually("it gets through again", async || start(&payer).await.status == 200).await;
    is_paid(&payer, &start(&payer).await).await;
    assert_eq!(gateway.live_charges().await, 1);
    assert!(payer.stop().await);
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_whose_answer_never_came_is_found_by_look_up() {
    for mode in ["charge_then_timeout", "charge_then_reset", "malformed"] {
        let databases = [TestDatabase::sqlite(), TestDatabase::sqlite()];
        let mode = [("PAYONCE__FAKE_GATEWAY__MODE", mode)];
        let gateway = Running::gateway(&databases[0], &mode).await;
        let payer = Running::payer(&databases[1], gateway.address, &[]).await;
        let paid = start(&payer).await;
        is_paid(&payer, &paid).await;
        assert!(payer.only_events().await.contains(&"look_up by request".to_owned()));
        assert_eq!(start(&payer).await.body, paid.body);
        assert_eq!(gateway.live_charges().await, 1);
        assert!(payer.stop().await);
        assert!(gateway.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_order_gets_the_same_error_again_and_again() {
    for database in [TestDatabase::postgres(), TestDatabase::sqlite()] {
        let own = TestDatabase::sqlite();
        let mode = [("PAYONCE__FAKE_GATEWAY__MODE", "fail_before")];
        let gateway = Running::gateway(&own, &mode).await;
        let tap = Wiretap::on(gateway.address).await;
        let payer = Running::recovering_payer(&database, tap.address, &[]).await;
        for _ in 0..4 {
            is(&start(&payer).await, 502, r#"{"error":"Gateway error"}"#);
        }
        let payment = payer.only_payment().await;
        assert_eq!(payment.status(), PaymentStatus::Failed);
        assert_eq!(gateway.entry(payment.gateway_key).await, Some(LedgerEntry::Voided));
        assert_eq!((tap.charges(), tap.voids()), (3, 1));
        assert!(payer.stop().await);
        assert!(gateway.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_unknown_outcome_is_settled_by_recovery() {
    for database in [TestDatabase::postgres(), TestDatabase::sqlite()] {
        let own = TestDatabase::sqlite();
        // The charge lands seconds after its payer has given up.
        let slow = [("PAYONCE__FAKE_GATEWAY__MODE", "slow")];
        let gateway = Running::gateway(&own, &slow).await;
        let payer = Running::recovering_payer(&database, gateway.address, &[]).await;
        let pending = start(&payer).await;
        let id = payer.only_payment().await.id;
        is(&pending, 202, &format!(r#"{{"payment_id":"{id}","status":"PROCESSING"}}"#));
        pending.header("retry-after").parse::<u32>().expect("seconds");
        let is_paid_now = async || start(&payer).await.status == 200;
        eventually("recovery has settled it", is_paid_now).await;
        is_paid(&payer, &start(&payer).await).await;
        assert_eq!(gateway.live_charges().await, 1);
        assert!(payer.stop().await);
        assert!(gateway.stop().await);
    }
}

/// Recovery only looks at it: its client is to repeat.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_left_open_is_not_sent_again_by_recovery() {
    let databases = [TestDatabase::sqlite(), TestDatabase::sqlite()];
    let (port, address) = closed_port();
    let payer = Running::recovering_payer(&databases[0], address, &[]).await;
    is(&start(&payer).await, 503, r#"{"error":"Gateway unreachable"}"#);
    let gateway = Running::gateway_at(opened(port), &databases[1], &[]).await;
    let looked = async || {
        payer.only_events().await.iter().filter(|event| *event == "look_up by recovery").count()
            >= 3
    };
    eventually("recovery has looked", looked).await;
    assert_eq!(payer.only_payment().await.status(), PaymentStatus::Processing);
    assert_eq!(gateway.live_charges().await, 0);
    // A repeat may meet recovery at its look, and waits for it.
    is_paid(&payer, &start(&payer).await).await;
    assert_eq!(gateway.live_charges().await, 1);
    assert!(payer.stop().await);
    assert!(gateway.stop().await);
}
