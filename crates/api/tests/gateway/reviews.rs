//! Payments that an operator settles, by the real binary.

use std::net::SocketAddr;
use std::process::Output;

use payonce_testing::TestDatabase;

use crate::instances::{Instance, binary};
use crate::line::Line;
use crate::services::{Answer, Running, eventually};

/// A payment in review, whose gateway is silent.
struct Review {
    gateway: Running,
    line: Line,
    instance: Instance,
    location: String,
    database: TestDatabase,
    _books: TestDatabase,
}

impl Review {
    /// Charged or not, nothing was heard of it.
    async fn of_a_payment(database: TestDatabase, is_charged: bool) -> Self {
        let books = TestDatabase::sqlite();
        let silent = [("PAYONCE__FAKE_GATEWAY__MODE", "charge_then_timeout")];
        let gateway = Running::gateway(&books, &silent).await;
        let mut line = Line::to(gateway.address);
        if !is_charged {
            line.choke().await;
        }
        let soon = [("PAYONCE__WORKERS__REVIEW_AFTER", "500ms")];
        let instance = Instance::started(&database, line.address, &soon).await;
        let accepted = instance.accept("k").await;
        assert_eq!(accepted.status, 202);
        if is_charged {
            eventually("it is charged", async || gateway.live_charges().await == 1).await;
            line.choke().await;
        }
        let location = accepted.header("location").to_owned();
        let is_in_review = async || instance.status(&location).await == "NEEDS_REVIEW";
        eventually("it needs review", is_in_review).await;
        Self { gateway, line, instance, location, database, _books: books }
    }

    /// An operator's decision.
    fn resolve(&self, decision: &[&str]) -> Output {
        resolve(&self.database, self.line.address, &self.location, decision)
    }

    async fn status(&self) -> String {
        self.instance.status(&self.location).await
    }

    async fn repeat(&self) -> Answer {
        self.instance.pay("k").await.expect("an answer")
    }

    async fn end(self) {
        drop(self.instance);
        assert!(self.gateway.stop().await);
    }
}

fn resolve(
    database: &TestDatabase,
    gateway: SocketAddr,
    location: &str,
    decision: &[&str],
) -> Output {
    let id = location.rsplit('/').next().expect("it ends with the id");
    let by = ["payments", "resolve", id, "--operator", "Ada", "--reason", "seen"];
    binary(database, gateway).args(by).args(decision).output().expect("the binary runs")
}

pub async fn what_stays_unknown_needs_review_until_an_operator_settles_it(database: TestDatabase) {
    let review = Review::of_a_payment(database, false).await;
    let repeat = review.repeat().await;
    assert_eq!((repeat.status, &repeat.json()["status"]), (202, &"NEEDS_REVIEW".into()));
    assert_eq!(repeat.header("location"), review.location);
    repeat.header("retry-after").parse::<u64>().expect("seconds");

    let unconfirmed = review.resolve(&["--failed"]);
    assert_eq!(unconfirmed.status.code(), Some(1), "a void needs the gateway");
    assert_eq!(review.status().await, "NEEDS_REVIEW");
    assert!(review.resolve(&["--failed", "--without-void"]).status.success());
    assert_eq!(review.status().await, "FAILED");
    let settled = review.repeat().await;
    assert_eq!((settled.status, settled.header("idempotent-replayed")), (502, "true"));
    let events = review.instance.events(&review.location).await;
    assert!(events.contains("Ada: seen") && events.contains("overridden"), "{events}");
    review.end().await;
}

pub async fn what_was_charged_is_completed_by_an_operator(database: TestDatabase) {
    let mut review = Review::of_a_payment(database, true).await;
    let unseen = review.resolve(&["--completed"]);
    assert_eq!(unseen.status.code(), Some(1), "nobody shows a charge");
    review.line.restore().await;
    let charged = review.resolve(&["--failed"]);
    assert_eq!(charged.status.code(), Some(1), "money moved: {charged:?}");
    assert_eq!(review.status().await, "NEEDS_REVIEW");
    assert!(review.resolve(&["--completed"]).status.success());
    assert_eq!(review.status().await, "COMPLETED");
    let settled = review.repeat().await;
    assert_eq!((settled.status, settled.header("idempotent-replayed")), (201, "true"));
    assert_eq!(review.gateway.live_charges().await, 1);
    review.end().await;
}

pub async fn what_was_not_charged_is_failed_by_an_operator_who_voids_it(database: TestDatabase) {
    let mut review = Review::of_a_payment(database, false).await;
    review.line.restore().await;
    assert!(review.resolve(&["--failed"]).status.success());
    let settled = review.repeat().await;
    assert_eq!((settled.status, settled.header("idempotent-replayed")), (502, "true"));
    assert_eq!(settled.json()["code"], "gateway_error");
    let again = review.repeat().await;
    assert_eq!(again.body, settled.body);
    assert_eq!(review.gateway.live_charges().await, 0);
    review.end().await;
}
