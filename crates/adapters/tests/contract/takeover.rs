//! Owners that die, live on, give up, or come too late.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::idempotency::{Fence, RecordState};
use payonce_domain::payment::{EventKind, PaymentId};
use payonce_domain::ports::{
    HandOver, HandOverTo, LeaseRenewal, Opened, OwnedBy, Renewed, Settled,
};
use uuid::Uuid;

use crate::fixtures::{
    HANDED_OVER_FOR, LEASE, hand_over, open, open_and_die, open_for, record, renewal, settle,
    timeline,
};
use crate::harness::{Database, one_owner, race};

/// Fails where the record is read without its lock: two callers then see the same dead lease.
pub async fn a_dead_lease_is_taken_over_by_one_of_16_racing_callers(database: Arc<Database>) {
    let store = database.store().await;
    let first = store.own(open_and_die("k")).await;
    for round in 1..=20 {
        let found = race((0..16).map(|_| store.opening(open("k")))).await;
        let (owner, others) = one_owner(found);
        assert_eq!((owner.fence, owner.by), (Fence(round + 1), OwnedBy::TakeOver));
        assert_eq!(owner.payment, first.payment);
        for other in others {
            let Opened::InUse { payment, lease_left } = other else { panic!("{other:?}") };
            assert_eq!(payment, first.payment.id);
            assert!(lease_left > Duration::ZERO, "{lease_left:?}");
        }
        assert_eq!(store.known(&record("k")).await.record.fence, owner.fence);

        // The owner dies for the next round.
        let dying = LeaseRenewal {
            lease: Duration::ZERO,
            attempts: 1,
            events: Vec::new(),
            ..renewal(&owner)
        };
        assert_eq!(store.payments.renew(dying).await.expect("it renews"), Renewed::Granted);
    }
    let timeline = store.timeline(first.payment.id).await;
    let fences: Vec<_> = timeline.iter().map(|event| event.fence.0).collect();
    assert_eq!(fences, (1..=21).collect::<Vec<_>>());
}

/// Two services on one database: on SQLite, whoever decides must hold the write lock by then.
pub async fn a_dead_lease_is_taken_over_by_one_of_two_instances(database: Arc<Database>) {
    let stores = [database.store().await, database.store().await];
    for round in 0..20 {
        let name = format!("k{round}");
        let first = stores[0].own(open_and_die(&name)).await;
        let calls = stores.iter().flat_map(|store| (0..4).map(|_| store.opening(open(&name))));
        let (owner, others) = one_owner(race(calls).await);
        assert_eq!((owner.fence, owner.payment.id), (Fence(2), first.payment.id));
        assert!(others.iter().all(|one| matches!(one, Opened::InUse { .. })), "{others:?}");
        assert_eq!(stores[1].kinds(first.payment.id).await, ["created", "taken_over"]);
    }
}

pub async fn taking_over_continues_the_same_payment(database: Arc<Database>) {
    let store = database.store().await;
    let first_call = open_and_die("k");
    let first = store.own(first_call.clone()).await;
    let second_call = open("k");
    let second = store.own(second_call.clone()).await;
    assert_eq!(second.payment, first.payment);
    assert_eq!((second.fence, second.by), (Fence(2), OwnedBy::TakeOver));
    assert_eq!(second.request_id, first_call.request_id, "the request that opened it");
    assert!(second.now >= first.now);

    let state = store.known(&record("k")).await.record.state;
    assert_eq!(state, RecordState::Running { lease_until: second.now + LEASE });
    let expected = [first_call.created_event(Fence(1)), second_call.taken_over_event(Fence(2))];
    assert_eq!(store.timeline(first.payment.id).await, expected);
    assert_eq!(store.all_payments().await, [first.payment]);
}

pub async fn renewing_keeps_the_lease_and_counts_attempts(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open_and_die("k")).await;
    let call = renewal(&owned);
    let before = store.known(&record("k")).await.now;
    // The second is the same call again, as after a commit whose outcome was lost.
    for _ in 0..2 {
        assert_eq!(store.payments.renew(call.clone()).await.expect("renews"), Renewed::Granted);
        assert_eq!(store.kinds(owned.payment.id).await, ["created", "attempt"]);
    }
    let known = store.known(&record("k")).await;
    let RecordState::Running { lease_until } = known.record.state else { panic!("{known:?}") };
    assert!(before + LEASE <= lease_until && lease_until <= known.now + LEASE, "{known:?}");
    assert_eq!(known.record.fence, Fence::FIRST);
    let found = store.open(open("k")).await;
    assert!(matches!(found, Opened::InUse { .. }), "{found:?}");

    let payment = store.payment(owned.payment.id).await;
    assert_eq!(payment.attempts, 2);
    assert_eq!(payment.first_sent_at, owned.payment.first_sent_at);
    assert!(payment.first_sent_at.is_some());
    assert_eq!(payment.void_intended_at, None);
}

pub async fn a_void_is_intended_at_once_and_for_good(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let void = LeaseRenewal { void_intended: true, attempts: 1, ..renewal(&owned) };
    let before = store.known(&record("k")).await.now;
    store.payments.renew(void.clone()).await.expect("it renews");
    let intended = store.payment(owned.payment.id).await;
    let after = store.known(&record("k")).await.now;
    let at = intended.void_intended_at.expect("it is intended");
    assert!(before <= at && at <= after, "{at}");

    for again in [void.clone(), LeaseRenewal { void_intended: false, ..void }] {
        assert_eq!(store.payments.renew(again).await.expect("it renews"), Renewed::Granted);
        assert_eq!(store.payment(owned.payment.id).await, intended);
    }
}

pub async fn renewing_under_another_fence_writes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    let loser = store.own(open_and_die("k")).await;
    let winner = store.own(open("k")).await;
    let before = store.snapshot(&winner.payment).await;
    let stale = LeaseRenewal { void_intended: true, attempts: 9, ..renewal(&loser) };
    let others = [
        LeaseRenewal { fence: Fence(3), ..stale.clone() },
        LeaseRenewal { fence: winner.fence, payment: stranger(), ..stale.clone() },
        LeaseRenewal { fence: winner.fence, record: record("unknown"), ..stale.clone() },
        stale,
    ];
    for call in others {
        let lost = store.payments.renew(call.clone()).await.expect("it renews");
        assert_eq!(lost, Renewed::FenceLost, "{call:?}");
        assert_eq!(store.snapshot(&winner.payment).await, before, "{call:?}");
    }
    assert_eq!(store.keys.find(&record("unknown")).await.expect("it finds"), None);
}

pub async fn what_is_handed_over_is_pending_for_others(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let call = hand_over(&owned);
    let before = store.known(&record("k")).await.now;
    assert_eq!(store.payments.hand_over(call.clone()).await.expect("it does"), Renewed::Granted);
    let known = store.known(&record("k")).await;
    let RecordState::Unknown { due_at } = known.record.state else { panic!("{known:?}") };
    assert!(
        before + HANDED_OVER_FOR <= due_at && due_at <= known.now + HANDED_OVER_FOR,
        "{known:?}"
    );
    assert_eq!(store.kinds(owned.payment.id).await, ["created", "handed_over"]);

    let handed_over = store.snapshot(&owned.payment).await;
    assert_eq!(handed_over.payment, owned.payment);
    let found = store.open(open("k")).await;
    assert_eq!(found, Opened::Pending(Box::new(owned.payment.clone())));
    let found = store.open(open_for("k", "2")).await;
    assert!(matches!(found, Opened::Mismatch { .. }), "{found:?}");

    // Again, as after a commit whose outcome was lost.
    let again = HandOver { to: HandOverTo::Recovery(LEASE), ..call };
    assert_eq!(store.payments.hand_over(again).await.expect("it does"), Renewed::Granted);
    assert_eq!(store.snapshot(&owned.payment).await, handed_over);
}

pub async fn who_has_handed_over_owns_nothing_any_more(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    store.payments.hand_over(hand_over(&owned)).await.expect("it does");
    let before = store.snapshot(&owned.payment).await;
    assert_eq!(store.settle(settle(&owned, "late")).await, Settled::FenceLost);
    let renewed = store.payments.renew(renewal(&owned)).await.expect("it renews");
    assert_eq!(renewed, Renewed::FenceLost);
    assert_eq!(store.snapshot(&owned.payment).await, before);
}

pub async fn handing_over_under_another_fence_writes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    let loser = store.own(open_and_die("k")).await;
    let winner = store.own(open("k")).await;
    let before = store.snapshot(&winner.payment).await;
    let stale = hand_over(&loser);
    let others = [
        HandOver { fence: Fence(3), ..stale.clone() },
        HandOver { fence: winner.fence, payment: stranger(), ..stale.clone() },
        HandOver { fence: winner.fence, record: record("unknown"), ..stale.clone() },
        stale,
    ];
    for call in others {
        let lost = store.payments.hand_over(call.clone()).await.expect("it does");
        assert_eq!(lost, Renewed::FenceLost, "{call:?}");
        assert_eq!(store.snapshot(&winner.payment).await, before, "{call:?}");
    }
    assert_eq!(store.keys.find(&record("unknown")).await.expect("it finds"), None);

    store.settle(settle(&winner, "paid")).await;
    let settled = store.snapshot(&winner.payment).await;
    let too_late = store.payments.hand_over(hand_over(&winner)).await.expect("it does");
    assert_eq!(too_late, Renewed::FenceLost);
    assert_eq!(store.snapshot(&winner.payment).await, settled, "what is settled stays");
}

pub async fn events_keep_their_order_actor_attempt_and_detail(database: Arc<Database>) {
    let store = database.store().await;
    let first_call = open_and_die("k");
    let first = store.own(first_call.clone()).await;
    let of_first = LeaseRenewal { lease: Duration::ZERO, ..renewal(&first) };
    store.payments.renew(of_first.clone()).await.expect("it renews");
    let second_call = open("k");
    let second = store.own(second_call.clone()).await;
    let mut timeline = timeline(&second);
    let mut written = vec![first_call.created_event(first.fence)];
    written.extend(of_first.events);
    written.push(second_call.taken_over_event(second.fence));

    timeline.add(EventKind::LookUp, None, Some("nothing: „not found“ 🐚 'x' \"y\"".to_owned()));
    // Behind step 9 comes step 10, not step 2.
    for attempt in 1..=10 {
        timeline.add(EventKind::Attempt, Some(attempt), Some(format!("unknown: {attempt}")));
    }
    let events = timeline.take();
    written.extend(events.clone());
    let renewal = LeaseRenewal { events, ..renewal(&second) };
    store.payments.renew(renewal).await.expect("it renews");

    timeline.add(EventKind::VoidIntended, None, None);
    timeline.add(EventKind::Void, None, Some(String::new()));
    timeline.add(EventKind::HandedOver, None, None);
    let events = timeline.take();
    written.extend(events.clone());
    store.payments.hand_over(HandOver { events, ..hand_over(&second) }).await.expect("it does");

    let stored = store.events(first.payment.id).await;
    assert!(stored.is_sorted_by_key(|event| event.at), "{stored:?}");
    assert_eq!(store.timeline(first.payment.id).await, written);
    let unknown = store.queries.events(&first.payment.record.account, stranger()).await;
    assert_eq!(unknown.expect("it finds"), None);
}

fn stranger() -> PaymentId {
    PaymentId(Uuid::from_u128(4))
}
