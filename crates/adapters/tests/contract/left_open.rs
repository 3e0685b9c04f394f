//! Payments that are left for their clients' next try.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::idempotency::{AfterExpiry, Fence, RecordState};
use payonce_domain::payment::EventKind;
use payonce_domain::ports::{
    HandOver, HandOverTo, OpenPayment, Opened, Owned, OwnedBy, Renewed, Settled, TakeDue,
};
use time::OffsetDateTime;

use crate::fixtures::{LEASE, hand_over, open, open_for, record, renewal, settle, timeline};
use crate::harness::{Database, Store, one_owner, race};

const DUE_IN: Duration = Duration::from_secs(5);
const OPEN_FOR: Duration = Duration::from_secs(900);

/// Leaves a payment to its client.
fn leaving(owned: &Owned, due_in: Duration, open_for: Duration) -> HandOver {
    let mut timeline = timeline(owned);
    timeline.add(EventKind::LeftOpen, None, None);
    let to = HandOverTo::Client { due_in, open_for };
    HandOver { to, events: timeline.take(), ..hand_over(owned) }
}

async fn leave(store: &Store, call: HandOver) {
    let left = store.payments.hand_over(call).await.expect("it does");
    assert_eq!(left, Renewed::Granted);
}

async fn take_due(store: &Store) -> Vec<Owned> {
    let review_after = Duration::from_secs(86_400);
    let gateway = Some(open("any").gateway);
    let take = TakeDue { gateway, review_after, lease: LEASE, limit: 10 };
    store.payments.take_due(take).await.expect("it takes")
}

async fn open_until(store: &Store) -> Option<OffsetDateTime> {
    store.known(&record("k")).await.record.open_until
}

pub async fn what_is_left_open_keeps_its_payment_and_its_time(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    assert_eq!(open_until(&store).await, None);
    let before = store.known(&record("k")).await.now;
    let call = leaving(&owned, DUE_IN, OPEN_FOR);
    leave(&store, call.clone()).await;

    let known = store.known(&record("k")).await;
    let RecordState::Open { due_at } = known.record.state else { panic!("{known:?}") };
    assert!(before + DUE_IN <= due_at && due_at <= known.now + DUE_IN, "{known:?}");
    let until = known.record.open_until.expect("until when");
    assert!(before + OPEN_FOR <= until && until <= known.now + OPEN_FOR, "{known:?}");
    assert_eq!(known.record.fence, Fence::FIRST);
    assert_eq!(store.kinds(owned.payment.id).await, ["created", "left_open"]);
    let left = store.snapshot(&owned.payment).await;
    assert_eq!(left.payment, owned.payment);

    // Again, as after a commit whose outcome was lost.
    leave(&store, leaving(&owned, LEASE, LEASE)).await;
    leave(&store, call).await;
    assert_eq!(store.snapshot(&owned.payment).await, left);
}

pub async fn who_has_left_a_payment_open_owns_nothing_any_more(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    leave(&store, leaving(&owned, DUE_IN, OPEN_FOR)).await;
    let left = store.snapshot(&owned.payment).await;
    assert_eq!(store.settle(settle(&owned, "late")).await, Settled::FenceLost);
    for lost in [
        store.payments.renew(renewal(&owned)).await,
        store.payments.hand_over(hand_over(&owned)).await,
    ] {
        assert_eq!(lost.expect("it answers"), Renewed::FenceLost);
    }
    assert_eq!(store.snapshot(&owned.payment).await, left);
}

pub async fn leaving_open_under_another_fence_writes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    let loser = store.own(open("k")).await;
    leave(&store, leaving(&loser, DUE_IN, OPEN_FOR)).await;
    let winner = store.own(open("k")).await;
    let before = store.snapshot(&winner.payment).await;
    let stale = leaving(&loser, Duration::ZERO, Duration::ZERO);
    for call in [HandOver { fence: Fence(3), ..stale.clone() }, stale] {
        let lost = store.payments.hand_over(call).await.expect("it answers");
        assert_eq!(lost, Renewed::FenceLost);
        assert_eq!(store.snapshot(&winner.payment).await, before);
    }
}

/// Fails where the record is read without its lock: two callers then see it open.
pub async fn an_open_payment_is_taken_over_by_one_of_16_racing_callers(database: Arc<Database>) {
    let stores = [database.store().await, database.store().await];
    let mut owner = stores[0].own(open("k")).await;
    let first = owner.payment.clone();
    for round in 1..=20 {
        leave(&stores[0], leaving(&owner, DUE_IN, OPEN_FOR)).await;
        let found = race((0..16).map(|at| stores[at % 2].opening(open("k")))).await;
        let (next, others) = one_owner(found);
        assert_eq!((next.fence, next.by), (Fence(round + 1), OwnedBy::TakeOver));
        assert_eq!((&next.payment, next.open_until), (&first, None));
        assert!(others.iter().all(|it| matches!(it, Opened::InUse { .. })), "{others:?}");
        owner = next;
    }
    let kinds = stores[0].kinds(first.id).await;
    assert_eq!(kinds.iter().filter(|kind| **kind == "taken_over").count(), 20);
    assert_eq!(stores[0].all_payments().await, [first]);
}

pub async fn a_client_that_is_back_begins_its_time_anew(database: Arc<Database>) {
    let store = database.store().await;
    let first = store.own(open("k")).await;
    leave(&store, leaving(&first, DUE_IN, Duration::ZERO)).await;
    let ended = open_until(&store).await.expect("until when");
    let second = store.own(open("k")).await;
    assert_eq!(open_until(&store).await, None);
    leave(&store, leaving(&second, DUE_IN, OPEN_FOR)).await;
    let until = open_until(&store).await.expect("until when");
    assert!(until >= ended + OPEN_FOR, "{until} after {ended}");
}

pub async fn recoverys_looks_keep_the_time_of_an_open_payment(database: Arc<Database>) {
    let store = database.store().await;
    let first = store.own(open("k")).await;
    leave(&store, leaving(&first, Duration::ZERO, OPEN_FOR)).await;
    let until = open_until(&store).await;
    assert!(until.is_some());
    for round in 2..=5 {
        let taken = take_due(&store).await;
        assert_eq!(taken.len(), 1, "round {round}");
        let owned = &taken[0];
        assert_eq!((owned.by, owned.fence), (OwnedBy::Recovery, Fence(round)));
        assert_eq!((owned.open_until, open_until(&store).await), (until, until));
        assert_eq!(owned.payment, first.payment);
        let found = store.open(open("k")).await;
        assert!(matches!(found, Opened::InUse { .. }), "{found:?}");
        leave(&store, leaving(owned, Duration::ZERO, LEASE)).await;
        assert_eq!(open_until(&store).await, until, "an earlier end stays");
    }
    let kinds = store.kinds(first.payment.id).await;
    assert_eq!(kinds.iter().filter(|kind| **kind == "left_open").count(), 5);
}

pub async fn an_open_payment_is_recoverys_only_when_it_is_due(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    leave(&store, leaving(&owned, LEASE, LEASE)).await;
    assert_eq!(take_due(&store).await, []);
    let due = "UPDATE idempotency_records SET due_at = first_seen_at";
    database.execute(due).expect("it runs");
    assert_eq!(take_due(&store).await.len(), 1);
    assert_eq!(take_due(&store).await, [], "it is somebody's now");
}

pub async fn a_void_of_an_open_payment_closes_it_to_its_client(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    leave(&store, leaving(&owned, Duration::ZERO, Duration::ZERO)).await;
    let taken = take_due(&store).await;
    let void = payonce_domain::ports::LeaseRenewal {
        void_intended: true,
        attempts: 1,
        events: Vec::new(),
        ..renewal(&taken[0])
    };
    assert_eq!(store.payments.renew(void).await.expect("it renews"), Renewed::Granted);
    leave(&store, hand_over(&taken[0])).await;
    let found = store.open(open("k")).await;
    let Opened::Pending(payment) = found else { panic!("{found:?}") };
    assert!(payment.void_intended_at.is_some());
}

pub async fn an_open_payment_is_no_other_requests_and_no_other_gateways(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    leave(&store, leaving(&owned, DUE_IN, OPEN_FOR)).await;
    let left = store.snapshot(&owned.payment).await;
    let found = store.open(open_for("k", "7")).await;
    assert_eq!(found, Opened::Mismatch { payment: Some(owned.payment.id), fields: vec!["amount"] });
    let mut elsewhere = open("k");
    elsewhere.gateway.account = "another".into();
    assert_eq!(store.open(elsewhere).await, Opened::Pending(Box::new(owned.payment.clone())));
    let reusing = OpenPayment { after_expiry: AfterExpiry::Reuse, ..open_for("k", "7") };
    assert!(matches!(store.open(reusing).await, Opened::Mismatch { .. }));
    let after = store.snapshot(&owned.payment).await;
    assert_eq!((after.record.state, after.events), (left.record.state, left.events));
}

pub async fn a_settled_payment_is_open_no_more(database: Arc<Database>) {
    let store = database.store().await;
    let first = store.own(open("k")).await;
    leave(&store, leaving(&first, DUE_IN, OPEN_FOR)).await;
    let second = store.own(open("k")).await;
    let settled = store.settle(settle(&second, "paid")).await;
    let Settled::Stored(answer) = settled else { panic!("{settled:?}") };
    assert_eq!(open_until(&store).await, None);
    assert_eq!(store.open(open("k")).await, Opened::Replay(answer));
    let too_late = store.payments.hand_over(leaving(&second, DUE_IN, OPEN_FOR)).await;
    assert_eq!(too_late.expect("it answers"), Renewed::FenceLost);
}
