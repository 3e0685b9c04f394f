//! Payments through a gateway that works, is not there, or was there before.

use payonce_domain::ports::LedgerEntry;
use payonce_testing::TestDatabase;

use crate::services::Running;

pub async fn payments_succeed_once_each(database: TestDatabase) {
    let databases = [TestDatabase::sqlite(), database];
    let gateway = Running::gateway(&databases[0], &[]).await;
    let payer = Running::payer(&databases[1], gateway.address, &[]).await;
    for number in 1..=5 {
        let key = format!("order-{number}");
        let first = payer.pay(&key).await;
        assert_eq!(first.status, 201, "{first:?}");
        assert_eq!(first.json()["status"], "COMPLETED");
        let again = payer.pay(&key).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(gateway.live_charges().await, number);

        let payment = payer.payment(&first).await;
        let entry = gateway.entry(payment.gateway_key).await;
        let Some(LedgerEntry::Charge(charge)) = entry else { panic!("{entry:?}") };
        assert_eq!(charge.reference, Some(payment.id.to_string()));
        assert_eq!(first.json()["gateway_reference"], charge.id);
    }
    assert!(payer.stop().await);
    assert!(gateway.stop().await);
}

pub async fn a_gateway_that_is_not_there_leaves_a_payment_to_recovery(database: TestDatabase) {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let payer = Running::payer(&database, address, &[]).await;
    let answer = payer.pay("order-1").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.json()["status"], "PROCESSING");
    let payment = payer.payment(&answer).await;
    assert_eq!(answer.header("location"), format!("/v1/payments/{}", payment.id));
    answer.header("retry-after").parse::<u32>().expect("seconds");
    assert!(payer.stop().await);
}

pub async fn the_books_outlive_the_gateway(database: TestDatabase) {
    let databases = [TestDatabase::sqlite(), database];
    let gateway = Running::gateway(&databases[0], &[]).await;
    let payer = Running::payer(&databases[1], gateway.address, &[]).await;
    let paid = payer.pay("order-1").await;
    let key = payer.payment(&paid).await.gateway_key.0;
    let before = gateway.look_up(key).await;
    assert!(gateway.stop().await);

    let gateway = Running::gateway(&databases[0], &[]).await;
    let after = gateway.look_up(key).await;
    assert_eq!((after.status, after.body), (200, before.body));
    assert_eq!(gateway.void(key).await.status, 409);
    assert_eq!(gateway.live_charges().await, 1);
    assert!(payer.stop().await);
    assert!(gateway.stop().await);
}
