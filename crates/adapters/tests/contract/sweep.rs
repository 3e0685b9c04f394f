//! What a sweep cleans, and what it never touches.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::idempotency::{Generation, RecordState};
use payonce_domain::ports::{OpenPayment, Opened, Owned, Settle, Sweep, Swept};

use crate::fixtures::{DAY, hand_over, open, open_and_die, record, settle};
use crate::harness::{Database, Store};

const LONG_MEMORY: Sweep = Sweep { memory: Duration::from_secs(400 * 86_400), limit: 100 };
const NO_MEMORY: Sweep = Sweep { memory: Duration::ZERO, limit: 100 };

async fn swept(store: &Store, sweep: Sweep) -> (u32, u32) {
    let Swept { purged, forgotten } = store.keys.sweep(sweep).await.expect("it sweeps");
    (purged, forgotten)
}

async fn expired(store: &Store, name: &str) -> Owned {
    let owned = store.own(open(name)).await;
    store.settle(Settle { retention: Duration::ZERO, ..settle(&owned, "paid") }).await;
    owned
}

pub async fn an_expired_answer_is_dropped_and_its_key_still_refuses(database: Arc<Database>) {
    let store = database.store().await;
    let old = expired(&store, "old").await;
    let young = store.own(open("young")).await;
    store.settle(settle(&young, "young")).await;

    assert_eq!(swept(&store, LONG_MEMORY).await, (1, 0));
    assert_eq!(swept(&store, LONG_MEMORY).await, (0, 0));
    let state = store.known(&record("old")).await.record.state;
    assert!(matches!(state, RecordState::Purged { .. }), "{state:?}");
    assert_eq!(store.open(open("old")).await, Opened::Expired { payment: Some(old.payment.id) });
    assert!(matches!(store.open(open("young")).await, Opened::Replay(_)));
}

pub async fn a_forgotten_key_never_lets_its_generation_pay_again(database: Arc<Database>) {
    let store = database.store().await;
    let old = expired(&store, "k").await;
    assert_eq!(swept(&store, NO_MEMORY).await, (1, 1));
    assert_eq!(store.keys.find(&record("k")).await.expect("it finds"), None);
    assert_eq!(store.payment(old.payment.id).await.generation, Generation::FIRST, "it is kept");

    let new = store.own(open("k")).await;
    assert_eq!(new.payment.generation, Generation(2));
    assert_ne!(new.payment.gateway_key, old.payment.gateway_key);
    assert_eq!(store.known(&record("k")).await.record.generation, Generation(2));
}

pub async fn a_key_that_lost_its_record_while_its_payment_runs_pays_nothing(
    database: Arc<Database>,
) {
    let store = database.store().await;
    store.own(open("k")).await;
    database.execute("DELETE FROM idempotency_records").expect("it runs");
    assert!(store.payments.open(Arc::new(open("k"))).await.is_err());
    assert_eq!(store.all_payments().await.len(), 1);
}

pub async fn what_is_unsettled_is_never_swept(database: Arc<Database>) {
    let store = database.store().await;
    store.own(open_and_die("dead")).await;
    store.open(OpenPayment { queued: true, ..open("queued") }).await;
    let unknown = store.own(open("unknown")).await;
    store.payments.hand_over(hand_over(&unknown)).await.expect("it does");
    assert_eq!(swept(&store, NO_MEMORY).await, (0, 0));
    for name in ["dead", "queued", "unknown"] {
        store.known(&record(name)).await;
    }
}

pub async fn a_sweep_is_bounded_and_goes_on_where_it_stopped(database: Arc<Database>) {
    let store = database.store().await;
    for n in 0..7 {
        expired(&store, &format!("k{n}")).await;
    }
    let bounded = Sweep { memory: DAY, limit: 3 };
    let mut purged = Vec::new();
    for _ in 0..4 {
        purged.push(swept(&store, bounded).await.0);
    }
    assert_eq!(purged, [3, 3, 1, 0]);
}
