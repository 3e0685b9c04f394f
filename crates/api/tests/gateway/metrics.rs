//! What a payer shows of its gateway.

use payonce_testing::TestDatabase;
use payonce_testing::metrics::Shown;

use crate::services::{Running, eventually};

async fn shown(payer: &Running) -> Shown {
    let answer = payer.get("/metrics").await;
    Shown::parse(&String::from_utf8(answer.body).expect("it is text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_circuit_shows_which_state_it_is_in() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let database = TestDatabase::sqlite();
    let payer = Running::payer(&database, address, &[]).await;
    let circuit = async |state| shown(&payer).await.sum("payonce_gateway_circuit", &[state]);
    assert_eq!(circuit(("state", "closed")).await, 1.0);
    let mut number = 0;
    let is_open = async || {
        number += 1;
        payer.pay(&format!("order-{number}")).await;
        circuit(("state", "open")).await == 1.0
    };
    eventually("the circuit is open", is_open).await;
    assert_eq!(circuit(("state", "closed")).await, 0.0);
    let refused = [("call", "charge"), ("outcome", "unreachable"), ("gateway", "http")];
    let calls = "payonce_gateway_call_duration_seconds_count";
    assert!(shown(&payer).await.sum(calls, &refused) >= 1.0);
    assert!(payer.stop().await);
}
