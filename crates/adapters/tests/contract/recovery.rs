//! What the recovery worker gets, and from whom.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use payonce_domain::gateway::GatewayIdentity;
use payonce_domain::idempotency::{Fence, RecordState};
use payonce_domain::payment::{PaymentStatus, Verdict};
use payonce_domain::ports::{
    HandOver, HandOverTo, OpenPayment, Opened, Owned, OwnedBy, Renewed, Settled, TakeDue,
    TakeReviewed,
};

use crate::fixtures::{LEASE, hand_over, open, open_and_die, record, settle};
use crate::harness::{Call, Database, Store, race};

fn take(limit: u32) -> TakeDue {
    let review_after = Duration::from_secs(86_400);
    TakeDue { gateway: Some(open("any").gateway), review_after, lease: LEASE, limit }
}

async fn taken(store: &Store, call: TakeDue) -> Vec<Owned> {
    store.payments.take_due(call).await.expect("it takes")
}

pub async fn a_dead_a_queued_and_an_unknown_payment_are_taken_under_the_next_fence(
    database: Arc<Database>,
) {
    let store = database.store().await;
    store.own(open_and_die("dead")).await;
    store.open(OpenPayment { queued: true, ..open("queued") }).await;
    let unknown = store.own(open("unknown")).await;
    let call = HandOver { to: HandOverTo::Recovery(Duration::ZERO), ..hand_over(&unknown) };
    assert_eq!(store.payments.hand_over(call).await.expect("it does"), Renewed::Granted);

    let taken = taken(&store, take(10)).await;
    assert_eq!(taken.len(), 3);
    for owned in &taken {
        assert_eq!((owned.by, owned.fence), (OwnedBy::Recovery, Fence(2)));
        let known = store.known(&owned.payment.record).await.record;
        assert_eq!(known.fence, Fence(2));
        assert_eq!(known.state, RecordState::Running { lease_until: owned.now + LEASE });
        assert!(store.kinds(owned.payment.id).await.contains(&"taken_over"));
        let Settled::Stored(_) = store.settle(settle(owned, "recovered")).await else {
            panic!("the worker owns what it took");
        };
    }
}

pub async fn what_somebody_works_on_or_what_is_final_is_not_taken(database: Arc<Database>) {
    let store = database.store().await;
    store.own(open("alive")).await;
    let settled = store.own(open("settled")).await;
    store.settle(settle(&settled, "paid")).await;
    let later = store.own(open("later")).await;
    let call = HandOver { to: HandOverTo::Recovery(LEASE), ..hand_over(&later) };
    assert_eq!(store.payments.hand_over(call).await.expect("it does"), Renewed::Granted);
    assert_eq!(taken(&store, take(10)).await, []);
}

pub async fn the_oldest_are_taken_first_and_no_more_than_asked_for(database: Arc<Database>) {
    let store = database.store().await;
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.push(store.own(open_and_die(&format!("k{n}"))).await.payment.id);
    }
    let first: Vec<_> = taken(&store, take(3)).await.iter().map(|owned| owned.payment.id).collect();
    let then: Vec<_> = taken(&store, take(3)).await.iter().map(|owned| owned.payment.id).collect();
    assert_eq!((first.len(), then.len()), (3, 2));
    assert_eq!([first, then].concat(), expected);
}

pub async fn eight_workers_never_take_the_same_payment(database: Arc<Database>) {
    let store = database.store().await;
    for n in 0..60 {
        store.own(open_and_die(&format!("k{n}"))).await;
    }
    let calls = (0..8).map(|_| {
        let store = store.clone();
        let call: Call<Vec<Owned>> = Box::pin(async move {
            let mut all = Vec::new();
            loop {
                let some = taken(&store, take(5)).await;
                if some.is_empty() {
                    return all;
                }
                all.extend(some);
            }
        });
        call
    });
    let taken: Vec<_> = race(calls).await.into_iter().flatten().collect();
    let distinct: HashSet<_> = taken.iter().map(|owned| owned.payment.id).collect();
    assert!(taken.iter().all(|owned| owned.fence == Fence(2)));
    assert_eq!(distinct.len(), taken.len());
    // Rows that a racing worker held were passed over; nothing is due twice.
    let rest = self::taken(&store, take(100)).await;
    assert_eq!(distinct.len() + rest.len(), 60);
}

pub async fn another_gateways_payment_is_taken_only_past_the_review_limit(database: Arc<Database>) {
    let store = database.store().await;
    let elsewhere = GatewayIdentity { kind: "other".into(), ..open("any").gateway };
    store.own(OpenPayment { gateway: elsewhere, ..open_and_die("k") }).await;
    assert_eq!(taken(&store, take(10)).await, []);
    let overdue = TakeDue { review_after: Duration::ZERO, ..take(10) };
    assert_eq!(taken(&store, overdue).await.len(), 1);
}

pub async fn who_reaches_no_gateway_gets_only_what_is_past_the_review_limit(
    database: Arc<Database>,
) {
    let store = database.store().await;
    store.own(open_and_die("k")).await;
    let nobody = TakeDue { gateway: None, ..take(10) };
    assert_eq!(taken(&store, nobody.clone()).await, []);
    let overdue = TakeDue { review_after: Duration::ZERO, ..nobody };
    assert_eq!(taken(&store, overdue).await.len(), 1);
}

pub async fn an_operator_takes_what_is_in_review_and_nothing_else(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let take = || TakeReviewed {
        record: record("k"),
        payment: owned.payment.id,
        lease: LEASE,
        note: "Ada: checked".to_owned(),
    };
    assert_eq!(store.payments.take_reviewed(take()).await.expect("it answers"), None);
    let call = HandOver { to: HandOverTo::Review, ..hand_over(&owned) };
    store.payments.hand_over(call).await.expect("it does");
    let calls = (0..8).map(|_| {
        let (store, take) = (store.clone(), take());
        let call: Call<Option<Owned>> =
            Box::pin(async move { store.payments.take_reviewed(take).await.expect("it answers") });
        call
    });
    let taken: Vec<_> = race(calls).await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1, "one operator at a time");
    assert_eq!((taken[0].by, taken[0].fence), (OwnedBy::Operator, Fence(2)));
    let last = store.timeline(owned.payment.id).await.pop().expect("an entry");
    assert_eq!(last.detail.as_deref(), Some("Ada: checked"));
    let Settled::Stored(_) = store.settle(settle(&taken[0], "by hand")).await else {
        panic!("the operator settles what it took");
    };
    assert_eq!(store.payment(owned.payment.id).await.status(), PaymentStatus::Completed);
}

pub async fn a_payment_in_review_is_left_to_an_operator(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let call = HandOver { to: HandOverTo::Review, ..hand_over(&owned) };
    assert_eq!(store.payments.hand_over(call).await.expect("it does"), Renewed::Granted);

    assert_eq!(store.payment(owned.payment.id).await.status(), PaymentStatus::NeedsReview);
    assert_eq!(store.known(&record("k")).await.record.state, RecordState::InReview);
    let found = store.open(open("k")).await;
    assert!(matches!(found, Opened::Pending(payment) if payment.id == owned.payment.id));
    assert_eq!(taken(&store, take(10)).await, []);
    assert_eq!(store.settle(settle(&owned, "late")).await, Settled::FenceLost);
    let review = store.payment(owned.payment.id).await;
    assert!(review.conclude(Verdict::Voided, owned.now).is_ok(), "an operator may still end it");
}
