//! What becomes of a payment in each mode of its gateway. The gateway's own books are on SQLite.

use std::time::{Duration, Instant};

use payonce_domain::ports::LedgerEntry;
use payonce_domain::use_cases::fake_gateway::FakeGatewayMode;
use payonce_testing::TestDatabase;

use crate::services::{Answer, Running, eventually};

/// Pays once at a gateway of that mode.
struct Paid {
    gateway: Running,
    payer: Running,
    answer: Answer,
    entry: Option<LedgerEntry>,
    databases: [TestDatabase; 2],
}

impl Paid {
    async fn at_gateway_of(mode: FakeGatewayMode, database: TestDatabase) -> Self {
        let databases = [TestDatabase::sqlite(), database];
        let mode = [("PAYONCE__FAKE_GATEWAY__MODE", mode.as_str())];
        let gateway = Running::gateway(&databases[0], &mode).await;
        let payer = Running::payer(&databases[1], gateway.address, &[]).await;
        let answer = payer.pay("order-1").await;
        let payment = payer.payment(&answer).await;
        let entry = gateway.entry(payment.gateway_key).await;
        Self { gateway, payer, answer, entry, databases }
    }

    async fn end(self) {
        assert!(self.payer.stop().await);
        let began = Instant::now();
        // A caller that is kept waiting on purpose does not keep the gateway from going down.
        assert!(self.gateway.stop().await);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }

    async fn completed_by_one_charge(self) {
        assert_eq!(self.answer.status, 201, "{:?}", self.answer);
        assert_eq!(self.answer.json()["status"], "COMPLETED");
        assert_eq!(self.gateway.live_charges().await, 1);
        self.end().await;
    }

    async fn failed_by_a_void(self) {
        assert_eq!(self.answer.status, 502, "{:?}", self.answer);
        assert_eq!(self.answer.json()["code"], "gateway_error");
        assert_eq!(self.entry, Some(LedgerEntry::Voided));
        assert_eq!(self.gateway.live_charges().await, 0);
        let repeated = self.payer.pay("order-1").await;
        assert_eq!((repeated.status, &repeated.body), (502, &self.answer.body));
        self.end().await;
    }
}

pub async fn charge_then_timeout_is_found_by_look_up(database: TestDatabase) {
    Paid::at_gateway_of(FakeGatewayMode::ChargeThenTimeout, database)
        .await
        .completed_by_one_charge()
        .await;
}

pub async fn charge_then_reset_is_found_by_look_up(database: TestDatabase) {
    Paid::at_gateway_of(FakeGatewayMode::ChargeThenReset, database)
        .await
        .completed_by_one_charge()
        .await;
}

pub async fn error_after_charge_is_found_by_look_up(database: TestDatabase) {
    Paid::at_gateway_of(FakeGatewayMode::ErrorAfterCharge, database)
        .await
        .completed_by_one_charge()
        .await;
}

pub async fn malformed_is_found_by_look_up(database: TestDatabase) {
    Paid::at_gateway_of(FakeGatewayMode::Malformed, database).await.completed_by_one_charge().await;
}

pub async fn wrong_amount_is_found_by_look_up(database: TestDatabase) {
    Paid::at_gateway_of(FakeGatewayMode::WrongAmount, database)
        .await
        .completed_by_one_charge()
        .await;
}

pub async fn fail_before_is_voided(database: TestDatabase) {
    Paid::at_gateway_of(FakeGatewayMode::FailBefore, database).await.failed_by_a_void().await;
}

pub async fn not_executed_429_is_voided_after_the_pauses_that_it_asked_for(database: TestDatabase) {
    let began = Instant::now();
    let paid = Paid::at_gateway_of(FakeGatewayMode::NotExecuted429, database).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "two pauses of a second");
    paid.failed_by_a_void().await;
}

pub async fn decline_is_final(database: TestDatabase) {
    let paid = Paid::at_gateway_of(FakeGatewayMode::Decline, database).await;
    assert_eq!(paid.answer.status, 402, "{:?}", paid.answer);
    assert_eq!(paid.answer.json()["code"], "payment_declined");
    assert_eq!(paid.answer.json()["decline_code"], "card_declined");
    assert_eq!(paid.gateway.live_charges().await, 0);
    paid.end().await;
}

/// The charge lands long after its payer stopped waiting, and after look-ups that did not see it.
pub async fn slow_is_never_called_failed_and_completed_by_recovery(database: TestDatabase) {
    let paid = Paid::at_gateway_of(FakeGatewayMode::Slow, database).await;
    assert_eq!(paid.answer.status, 202, "{:?}", paid.answer);
    assert_eq!(paid.answer.json()["status"], "PROCESSING");
    assert_eq!(paid.entry, None);
    eventually("the charge lands", async || paid.gateway.live_charges().await == 1).await;
    let repeated = paid.payer.pay("order-1").await;
    assert_eq!(repeated.status, 202, "only a void can settle it now: {repeated:?}");

    let recovering = Running::recovering_payer(&paid.databases[1], paid.gateway.address, &[]).await;
    let location = paid.answer.header("location");
    let is_final = async || recovering.status(location).await == "COMPLETED";
    eventually("recovery finds that it was charged", is_final).await;
    let replay = paid.payer.pay("order-1").await;
    assert_eq!((replay.status, replay.header("idempotent-replayed")), (201, "true"));
    assert_eq!(paid.gateway.live_charges().await, 1);
    assert!(recovering.stop().await);
    paid.end().await;
}
