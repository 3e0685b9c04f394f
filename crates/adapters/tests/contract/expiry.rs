//! What a key does after its answer has expired, and what never expires.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::idempotency::{AfterExpiry, Fence, Generation, RecordState};
use payonce_domain::ports::{
    OpaqueStored, OpenPayment, Opened, Owned, OwnedBy, RepositoryError, Settle, Settled,
};

use crate::fixtures::{DAY, hand_over, open, open_and_die, open_for, record, settle};
use crate::harness::{Database, Store, causes, one_owner, race};
use crate::opaque::call;

pub async fn an_expired_key_is_refused_with_its_payment(database: Arc<Database>) {
    let store = database.store().await;
    let expired = expired(&store, "k").await;
    let before = store.snapshot(&expired.payment).await;
    for call in [open("k"), open_for("k", "2"), OpenPayment { queued: true, ..open("k") }] {
        assert_eq!(store.open(call).await, Opened::Expired { payment: Some(expired.payment.id) });
    }
    let after = store.snapshot(&expired.payment).await;
    assert_eq!(after.record.state, before.record.state);
    assert_eq!((after.payment, after.events), (before.payment, before.events));
    assert_eq!(store.all_payments().await.len(), 1);
}

pub async fn a_reused_key_opens_a_payment_of_the_next_generation(database: Arc<Database>) {
    let store = database.store().await;
    let first = expired(&store, "k").await;
    let old = store.payment(first.payment.id).await;
    let old_events = store.events(first.payment.id).await;

    let call = reuse(open_for("k", "7"));
    let second = store.own(call.clone()).await;
    assert_eq!(second.payment, call.payment(Generation(2), second.now));
    assert_eq!((second.fence, second.by), (Fence(2), OwnedBy::Opening));
    assert_eq!(second.request_id, call.request_id);
    assert_ne!(second.payment.gateway_key, old.gateway_key);
    assert_eq!(second.payment.gateway_key, call.key_secret.derive(&record("k"), Generation(2)));

    let known = store.known(&record("k")).await.record;
    assert_eq!((known.generation, known.payment_id), (Generation(2), call.candidate));
    assert_eq!(known.fingerprint, *call.request.fingerprint());
    assert_eq!(known.state, RecordState::Running { lease_until: second.now + call.lease });
    assert_eq!(store.payment(first.payment.id).await, old, "both are readable");
    assert_eq!(store.events(first.payment.id).await, old_events);
    assert_eq!(store.payment(second.payment.id).await, second.payment);
    assert_eq!(store.timeline(second.payment.id).await, [call.created_event(Fence(2))]);
    assert_eq!(store.all_payments().await.len(), 2);

    // The new request is the one that counts from now on.
    let found = store.open(open("k")).await;
    let mismatch = Opened::Mismatch { payment: Some(second.payment.id), fields: vec!["amount"] };
    assert_eq!(found, mismatch);
    let stored = store.settle(settle(&second, "second")).await;
    let Settled::Stored(answer) = stored else { panic!("{stored:?}") };
    assert_eq!(store.open(open_for("k", "7")).await, Opened::Replay(answer));
}

pub async fn an_expired_key_is_reused_by_one_of_16_racing_callers(database: Arc<Database>) {
    let store = database.store().await;
    expired(&store, "k").await;
    for generation in 2..=6 {
        let calls = (0..16).map(|_| store.opening(reuse(open("k"))));
        let (owner, others) = one_owner(race(calls).await);
        assert_eq!(owner.payment.generation, Generation(generation));
        assert_eq!(owner.fence, Fence(generation.into()));
        for other in others {
            let Opened::InUse { payment, .. } = other else { panic!("{other:?}") };
            assert_eq!(payment, owner.payment.id);
        }
        store.settle(Settle { retention: Duration::ZERO, ..settle(&owner, "") }).await;
    }
    let mut generations: Vec<_> =
        store.all_payments().await.iter().map(|payment| payment.generation.0).collect();
    generations.sort_unstable();
    assert_eq!(generations, [1, 2, 3, 4, 5, 6]);
}

pub async fn the_owner_of_an_expired_generation_writes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    let first = expired(&store, "k").await;
    let second = store.own(reuse(open("k"))).await;
    let before = store.snapshot(&second.payment).await;
    let late = Settle { fence: second.fence, ..settle(&first, "late") };
    for call in [settle(&first, "late"), late] {
        assert_eq!(store.settle(call).await, Settled::FenceLost);
        assert_eq!(store.snapshot(&second.payment).await, before);
    }
}

pub async fn a_reused_key_may_be_queued(database: Arc<Database>) {
    let store = database.store().await;
    expired(&store, "k").await;
    let call = OpenPayment { queued: true, ..reuse(open("k")) };
    let opened = store.open(call.clone()).await;
    let Opened::Pending(payment) = opened else { panic!("{opened:?}") };
    assert_eq!((payment.generation, payment.attempts), (Generation(2), 0));
    assert_eq!((payment.id, payment.first_sent_at), (call.candidate, None));
    let stored = store.snapshot(&payment).await;
    assert_eq!(stored.record.state, RecordState::Queued { due_at: payment.created_at });
    assert_eq!(stored.payment, *payment);
}

pub async fn a_purged_key_is_refused_or_reused_like_an_expired_one(database: Arc<Database>) {
    let store = database.store().await;
    let first = store.own(open("k")).await;
    store.settle(settle(&first, "paid")).await;
    database
        .execute(
            "UPDATE idempotency_records SET state = 'purged', answer_status = NULL,
                 answer_content_type = NULL, answer_location = NULL, answer_body = NULL",
        )
        .expect("it runs");
    let purged = store.known(&record("k")).await.record.state;
    assert!(matches!(purged, RecordState::Purged { .. }), "{purged:?}");
    assert_eq!(store.open(open("k")).await, Opened::Expired { payment: Some(first.payment.id) });
    let second = store.own(reuse(open("k"))).await;
    assert_eq!(second.payment.generation, Generation(2));
}

pub async fn no_generation_of_a_key_is_ever_paid_twice(database: Arc<Database>) {
    let store = database.store().await;
    let first = expired(&store, "k").await;
    let other = store.own(open("other")).await;
    let twin = database.execute("UPDATE payments SET key = 'k' WHERE key = 'other'");
    let refused = twin.expect_err("two payments of one generation").to_string();
    assert!(refused.to_lowercase().contains("unique"), "{refused}");

    // Not even where the record was forgotten: the next generation is opened, or nothing.
    let paid = store.payment(first.payment.id).await;
    database.execute("DELETE FROM idempotency_records WHERE key = 'k'").expect("it runs");
    match store.payments.open(Arc::new(open("k"))).await {
        Ok(Opened::Owned(owned)) => {
            assert_eq!(owned.payment.generation, Generation(2));
            assert_ne!(owned.payment.gateway_key, paid.gateway_key);
        }
        Err(RepositoryError::Refused(refused)) => {
            let causes = causes(refused.as_ref());
            assert!(causes.contains("payments") && causes.contains("generation"), "{causes}");
            assert_eq!(store.keys.find(&record("k")).await.expect("it finds"), None);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.payment(first.payment.id).await, paid);
    assert_eq!(store.payment(other.payment.id).await, other.payment);
}

pub async fn what_is_not_settled_never_expires(database: Arc<Database>) {
    let store = database.store().await;
    let running = store.own(open("running")).await;
    let dead = store.own(open_and_die("dead")).await;
    let left_open = store.own(open("open")).await;
    let in_review = store.own(open("in_review")).await;
    let unknown = store.own(open("unknown")).await;
    store.payments.hand_over(hand_over(&unknown)).await.expect("it does");
    store.open(OpenPayment { queued: true, ..open("queued") }).await;

    // A century goes by.
    let ago = |column| database.hours_before(column, 876_600);
    let statements = format!(
        "UPDATE idempotency_records SET state = 'open', open_until = due_at WHERE key = 'open';
         UPDATE idempotency_records SET state = 'in_review', due_at = NULL WHERE key = 'in_review';
         UPDATE idempotency_records SET due_at = {} WHERE key <> 'running';
         UPDATE idempotency_records SET first_seen_at = {}, last_seen_at = {};
         UPDATE payments SET created_at = {}",
        ago("due_at"),
        ago("first_seen_at"),
        ago("last_seen_at"),
        ago("created_at"),
    );
    database.execute(&statements).expect("it runs");

    let found = store.open(reuse(open("running"))).await;
    let id = running.payment.id;
    assert!(matches!(found, Opened::InUse { payment, .. } if payment == id), "{found:?}");
    for name in ["in_review", "unknown", "queued"] {
        for call in [open(name), reuse(open(name))] {
            let found = store.open(call).await;
            let Opened::Pending(payment) = found else { panic!("{name}: {found:?}") };
            assert_eq!(payment.generation, Generation::FIRST, "{name}");
            assert_eq!(payment.record, record(name));
        }
    }
    for (name, first) in [("dead", dead), ("open", left_open)] {
        let second = store.own(reuse(open(name))).await;
        assert_eq!((second.fence, second.by), (Fence(2), OwnedBy::TakeOver), "{name}");
        assert_eq!(second.payment.id, first.payment.id, "{name}");
    }
    assert_eq!(store.all_payments().await.len(), 6);
    let in_review_now = store.known(&in_review.payment.record).await.record;
    assert_eq!(in_review_now.state, RecordState::InReview);
}

fn reuse(call: OpenPayment) -> OpenPayment {
    OpenPayment { after_expiry: AfterExpiry::Reuse, ..call }
}

/// A payment that was settled and whose answer has expired.
async fn expired(store: &Store, name: &str) -> Owned {
    let owned = store.own(open(name)).await;
    let call = Settle { retention: Duration::ZERO, ..settle(&owned, "paid") };
    let settled = store.settle(call).await;
    assert!(matches!(settled, Settled::Stored(_)), "{settled:?}");
    owned
}

pub async fn an_answer_tells_how_much_is_left_of_it_by_the_stores_clock(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let before = store.known(&record("k")).await.now;
    let settled = store.settle(settle(&owned, "paid")).await;
    let Settled::Stored(stored) = settled else { panic!("{settled:?}") };
    let after = store.known(&record("k")).await.now;
    assert!((before..=after).contains(&stored.told_at), "{before} {stored:?} {after}");
    let left = stored.expires_at - stored.told_at;
    assert!((left - DAY).abs() < time::Duration::MICROSECOND, "{left}");

    let opened = store.open(open("k")).await;
    let Opened::Replay(replay) = opened else { panic!("{opened:?}") };
    assert!(after <= replay.told_at && replay.expires_at == stored.expires_at, "{replay:?}");
    let first = store.opaque.store(call("opaque", "data")).await.expect("it answers");
    let OpaqueStored::First(first) = first else { panic!("{first:?}") };
    let left = first.expires_at - first.told_at;
    assert!((left - DAY).abs() < time::Duration::MICROSECOND, "{left}");
    let again = store.opaque.store(call("opaque", "data")).await.expect("it answers");
    let OpaqueStored::Replay(again) = again else { panic!("{again:?}") };
    assert!(first.told_at <= again.told_at && again == first, "{again:?}");
}
