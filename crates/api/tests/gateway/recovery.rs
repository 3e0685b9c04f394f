//! What the workers make of payments that no request has brought to an end.

use payonce_testing::TestDatabase;

use crate::instances::Instance;
use crate::line::Line;
use crate::services::{Running, eventually};

/// The gateway charges, and nothing of it gets through until the payer has given up.
pub async fn an_unknown_outcome_is_settled_by_a_worker_and_then_replayed(database: TestDatabase) {
    let books = TestDatabase::sqlite();
    let silent = [("PAYONCE__FAKE_GATEWAY__MODE", "charge_then_timeout")];
    let gateway = Running::gateway(&books, &silent).await;
    let mut line = Line::to(gateway.address);
    let payer = Running::payer(&database, line.address, &[]).await;
    let charged = async {
        eventually("it is charged", async || gateway.live_charges().await == 1).await;
        line.choke().await;
    };
    let (unknown, ()) = tokio::join!(payer.pay("k"), charged);
    assert_eq!((unknown.status, &unknown.json()["status"]), (202, &"PROCESSING".into()));
    let location = unknown.header("location");
    unknown.header("retry-after").parse::<u64>().expect("seconds");
    let duplicate = payer.pay("k").await;
    assert_eq!((duplicate.status, duplicate.header("idempotent-replayed")), (202, "false"));
    assert_eq!(duplicate.header("location"), location);

    line.restore().await;
    let recovering = Running::recovering_payer(&database, line.address, &[]).await;
    let is_final = async || recovering.status(location).await == "COMPLETED";
    eventually("a worker has settled it", is_final).await;
    let events = recovering.events(location).await;
    assert!(events.contains(&"taken_over by recovery".to_owned()), "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("completed by recovery"));
    let replays = [payer.pay("k").await, recovering.pay("k").await];
    for replay in &replays {
        assert_eq!((replay.status, replay.header("idempotent-replayed")), (201, "true"));
        assert_eq!(replay.header("location"), location);
    }
    assert_eq!(replays[0].body, replays[1].body);
    assert_eq!(gateway.live_charges().await, 1);
    for service in [recovering, payer, gateway] {
        assert!(service.stop().await);
    }
}

pub async fn a_charge_that_could_not_be_written_down_is_found_by_a_worker(database: TestDatabase) {
    let books = TestDatabase::sqlite();
    let gateway = Running::gateway(&books, &[]).await;
    let payer = Running::recovering_payer(&database, gateway.address, &SHORT_LEASE).await;
    database.refuse("INSERT", "payment_outcomes", "NEW.status = 'COMPLETED'");
    let unwritten = payer.pay("k").await;
    assert_eq!((unwritten.status, &unwritten.json()["status"]), (202, &"PROCESSING".into()));
    assert_eq!(gateway.live_charges().await, 1);
    assert_eq!(payer.statuses().await, ["PROCESSING"], "what was committed is never deleted");
    database.allow("INSERT", "payment_outcomes");
    let location = unwritten.header("location");
    let is_final = async || payer.status(location).await == "COMPLETED";
    eventually("a worker has found the charge", is_final).await;
    let replay = payer.pay("k").await;
    assert_eq!((replay.status, replay.header("idempotent-replayed")), (201, "true"));
    assert_eq!(gateway.live_charges().await, 1);
    assert!(payer.stop().await);
    assert!(gateway.stop().await);
}

/// Over soon after the payment could not be written down.
const SHORT_LEASE: [(&str, &str); 2] =
    [("PAYONCE__GATEWAY__DEADLINE", "1s"), ("PAYONCE__IDEMPOTENCY__LEASE", "1200ms")];

pub async fn an_accepted_payment_is_paid_later_and_its_key_then_replays(database: TestDatabase) {
    let own = TestDatabase::sqlite();
    let gateway = Running::gateway(&own, &[]).await;
    let instance = Instance::started(&database, gateway.address, &[]).await;
    let accepted = instance.accept("k").await;
    assert_eq!(accepted.status, 202);
    assert_eq!(accepted.header("preference-applied"), "respond-async");
    assert!(accepted.headers.contains_key("retry-after"));
    let location = accepted.header("location");
    let is_paid = async || instance.status(location).await == "COMPLETED";
    eventually("the worker has paid", is_paid).await;
    let replay = instance.pay("k").await.expect("an answer");
    assert_eq!((replay.status, replay.header("idempotent-replayed")), (201, "true"));
    assert_eq!(gateway.live_charges().await, 1);
    drop(instance);
    assert!(gateway.stop().await);
}

/// As good as no memory, swept at once.
const FORGETFUL: [(&str, &str); 3] = [
    ("PAYONCE__IDEMPOTENCY__RETENTION", "1ms"),
    ("PAYONCE__IDEMPOTENCY__MEMORY", "1ms"),
    ("PAYONCE__WORKERS__SWEEP_INTERVAL", "50ms"),
];

pub async fn a_forgotten_key_opens_a_payment_of_its_own(database: TestDatabase) {
    let books = TestDatabase::sqlite();
    let gateway = Running::gateway(&books, &[]).await;
    let payer = Running::recovering_payer(&database, gateway.address, &FORGETFUL).await;
    let mut ids = Vec::new();
    for round in 1..=3 {
        let paid = payer.pay("k").await;
        assert_eq!((paid.status, paid.header("idempotent-replayed")), (201, "false"));
        ids.push(paid.json()["id"].clone());
        let is_forgotten = async || payer.get("/v1/idempotency-keys/k").await.status == 404;
        eventually("the key is forgotten", is_forgotten).await;
        assert_eq!(gateway.live_charges().await, round);
    }
    ids.dedup();
    assert_eq!((ids.len(), payer.statuses().await.len()), (3, 3), "payments are never forgotten");
    assert!(payer.stop().await);
    assert!(gateway.stop().await);
}
