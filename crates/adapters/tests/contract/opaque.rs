//! Keys of operations that move no money.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::idempotency::{
    AfterExpiry, Fence, Field, Fingerprint, Generation, KeySpace, RecordId, RecordState,
    SettledAnswer, Subject,
};
use payonce_domain::payment::PaymentId;
use payonce_domain::ports::{
    OpaqueStored, OpenPayment, Opened, OwnedBy, RepositoryError, Settled, StoreOpaque,
};
use uuid::Uuid;

use crate::fixtures::{DAY, answer, open, open_and_die, record, settle};
use crate::harness::{Call, Database, Store, one_owner, race};

/// A request of its own: no two calls have one candidate.
pub fn call(name: &str, payload: &str) -> StoreOpaque {
    let candidate = PaymentId(Uuid::new_v4());
    let field = Field::with("request_data", payload);
    StoreOpaque {
        record: record(name),
        fingerprint: Fingerprint::of(&[field]),
        request_id: format!("req-{candidate}").parse().expect("valid"),
        candidate,
        answer: answer(payload),
        retention: DAY,
        after_expiry: AfterExpiry::Refuse,
    }
}

fn reuse(call: StoreOpaque) -> StoreOpaque {
    StoreOpaque { after_expiry: AfterExpiry::Reuse, ..call }
}

/// A call whose answer has expired as soon as it is stored.
fn expiring(call: StoreOpaque) -> StoreOpaque {
    StoreOpaque { retention: Duration::ZERO, ..call }
}

async fn stored(store: &Store, call: StoreOpaque) -> OpaqueStored {
    store.opaque.store(call).await.expect("the store answers")
}

async fn first(store: &Store, call: StoreOpaque) -> SettledAnswer {
    match stored(store, call).await {
        OpaqueStored::First(answer) => answer,
        other => panic!("not the first: {other:?}"),
    }
}

fn storing(store: &Store, call: StoreOpaque) -> Call<OpaqueStored> {
    let store = store.clone();
    Box::pin(async move { stored(&store, call).await })
}

pub async fn an_opaque_operation_is_stored_with_its_answer_and_no_payment(database: Arc<Database>) {
    let store = database.store().await;
    let call = call("k", "one");
    let before = first(&store, self::call("earlier", "")).await.expires_at - DAY;
    let answered = first(&store, call.clone()).await;
    assert_eq!((&answered.answer, &answered.request_id), (&call.answer, &call.request_id));

    let known = store.known(&record("k")).await;
    let RecordState::Settled(settlement) = &known.record.state else { panic!("{known:?}") };
    assert_eq!((&settlement.answer, settlement.expires_at), (&call.answer, answered.expires_at));
    assert_eq!(settlement.expires_at, settlement.settled_at + DAY);
    assert!(before <= settlement.settled_at && settlement.settled_at <= known.now, "{known:?}");
    assert_eq!((known.record.subject, known.record.payment_id), (Subject::Opaque, call.candidate));
    assert_eq!((known.record.fence, known.record.generation), (Fence::FIRST, Generation::FIRST));
    assert_eq!(known.record.fingerprint, call.fingerprint);
    assert_eq!(store.all_payments().await, []);
}

pub async fn an_opaque_answer_is_replayed_byte_for_byte(database: Arc<Database>) {
    let store = database.store().await;
    for (name, body) in [("plain", "one"), ("empty", ""), ("odd", "\u{0}\n„é“ \"x\" 🦀")] {
        let answered = first(&store, call(name, body)).await;
        for again in [call(name, body), reuse(call(name, body)), expiring(call(name, body))] {
            assert_eq!(stored(&store, again).await, OpaqueStored::Replay(answered.clone()));
        }
    }
}

pub async fn another_opaque_request_is_a_mismatch(database: Arc<Database>) {
    let store = database.store().await;
    let answered = first(&store, call("k", "one")).await;
    for other in [call("k", "two"), reuse(call("k", "One")), call("k", "")] {
        assert_eq!(stored(&store, other).await, OpaqueStored::Mismatch);
    }
    assert_eq!(stored(&store, call("k", "one")).await, OpaqueStored::Replay(answered));
}

/// As after a commit whose outcome was lost.
pub async fn an_opaque_call_that_is_repeated_as_it_was_is_the_first_again(database: Arc<Database>) {
    let store = database.store().await;
    let lost = call("k", "one");
    let answered = first(&store, lost.clone()).await;
    assert_eq!(first(&store, lost).await, answered);
    first(&store, expiring(call("reused", "one"))).await;
    let lost = reuse(call("reused", "two"));
    let answered = first(&store, lost.clone()).await;
    assert_eq!(first(&store, lost).await, answered);
    assert_eq!(store.known(&record("reused")).await.record.generation, Generation(2));
}

pub async fn of_16_racing_opaque_calls_one_is_the_first(database: Arc<Database>) {
    let stores = [database.store().await, database.store().await];
    for round in 0..10 {
        let name = format!("k{round}");
        let calls = (0..16).map(|at| storing(&stores[at % 2], call(&name, "one")));
        let (firsts, others): (Vec<_>, Vec<_>) =
            race(calls).await.into_iter().partition(|one| matches!(one, OpaqueStored::First(_)));
        let [OpaqueStored::First(answer)] = &firsts[..] else { panic!("{firsts:?}") };
        let replay = OpaqueStored::Replay(answer.clone());
        assert!(others.iter().all(|other| *other == replay), "{others:?}");
    }
}

pub async fn of_16_racing_opaque_calls_that_differ_one_is_stored(database: Arc<Database>) {
    let store = database.store().await;
    let calls = (0..16).map(|at| storing(&store, call("k", &at.to_string())));
    let found = race(calls).await;
    let firsts = found.iter().filter(|one| matches!(one, OpaqueStored::First(_))).count();
    let mismatches = found.iter().filter(|one| **one == OpaqueStored::Mismatch).count();
    assert_eq!((firsts, mismatches), (1, 15), "{found:?}");
}

pub async fn an_expired_opaque_key_is_refused(database: Arc<Database>) {
    let store = database.store().await;
    first(&store, expiring(call("k", "one"))).await;
    let before = store.known(&record("k")).await.record;
    for again in [call("k", "one"), call("k", "two")] {
        assert_eq!(stored(&store, again).await, OpaqueStored::Expired);
    }
    assert_eq!(store.known(&record("k")).await.record.state, before.state);
    assert_eq!(store.open(open("k")).await, Opened::Expired { payment: None });
}

pub async fn an_expired_opaque_key_is_reused_by_one_of_16_racing_callers(database: Arc<Database>) {
    let store = database.store().await;
    first(&store, expiring(call("k", "old"))).await;
    for generation in 2..=6 {
        let name = format!("generation {generation}");
        let found = race((0..16).map(|_| storing(&store, reuse(call("k", &name))))).await;
        let firsts = found.iter().filter(|one| matches!(one, OpaqueStored::First(_))).count();
        let replays = found.iter().filter(|one| matches!(one, OpaqueStored::Replay(_))).count();
        assert_eq!((firsts, replays), (1, 15), "{found:?}");
        let known = store.known(&record("k")).await.record;
        assert_eq!(known.generation, Generation(generation));
        assert_eq!(known.subject, Subject::Opaque);
        database
            .execute("UPDATE idempotency_records SET expires_at = settled_at")
            .expect("it expires");
    }
    assert_eq!(store.all_payments().await, []);
}

pub async fn a_payments_key_is_no_opaque_key_and_the_reverse(database: Arc<Database>) {
    let store = database.store().await;
    store.own(open("running")).await;
    store.own(open_and_die("dead")).await;
    store.open(OpenPayment { queued: true, ..open("queued") }).await;
    let paid = store.own(open("paid")).await;
    store.settle(settle(&paid, "paid")).await;
    for name in ["running", "dead", "queued", "paid"] {
        for call in [call(name, "data"), reuse(call(name, "data"))] {
            assert_eq!(stored(&store, call).await, OpaqueStored::Mismatch, "{name}");
        }
        let known = store.known(&record(name)).await.record;
        assert_eq!((known.subject, known.fence), (Subject::Payment, Fence::FIRST), "{name}");
    }
    let answered = first(&store, call("opaque", "data")).await;
    let other = Opened::Mismatch { payment: None, fields: vec!["operation"] };
    for call in
        [open("opaque"), open_and_die("opaque"), OpenPayment { queued: true, ..open("opaque") }]
    {
        assert_eq!(store.open(call).await, other);
    }
    assert_eq!(stored(&store, call("opaque", "data")).await, OpaqueStored::Replay(answered));
    assert_eq!(store.all_payments().await.len(), 4);
}

pub async fn of_payments_and_opaque_calls_that_race_for_a_key_one_wins(database: Arc<Database>) {
    let store = database.store().await;
    for round in 0..10 {
        let name = format!("k{round}");
        let opens = (0..8).map(|_| {
            let open = store.opening(open(&name));
            let call: Call<Result<Opened, OpaqueStored>> = Box::pin(async move { Ok(open.await) });
            call
        });
        let stores = (0..8).map(|_| {
            let storing = storing(&store, call(&name, "data"));
            let call: Call<Result<Opened, OpaqueStored>> =
                Box::pin(async move { Err(storing.await) });
            call
        });
        let (mut opened, mut stored) = (Vec::new(), Vec::new());
        for found in race(opens.chain(stores).collect::<Vec<_>>()).await {
            match found {
                Ok(found) => opened.push(found),
                Err(found) => stored.push(found),
            }
        }
        if stored.iter().any(|one| matches!(one, OpaqueStored::First(_))) {
            let other = Opened::Mismatch { payment: None, fields: vec!["operation"] };
            assert!(opened.iter().all(|one| *one == other), "{opened:?}");
            let mismatches = stored.iter().filter(|one| **one == OpaqueStored::Mismatch).count();
            assert_eq!(mismatches, 0, "{stored:?}");
        } else {
            one_owner(opened);
            assert!(stored.iter().all(|one| *one == OpaqueStored::Mismatch), "{stored:?}");
        }
    }
}

pub async fn a_reused_key_may_come_to_stand_for_something_else(database: Arc<Database>) {
    let store = database.store().await;
    let reopen = || OpenPayment { after_expiry: AfterExpiry::Reuse, ..open("k") };
    first(&store, expiring(call("k", "one"))).await;
    let expired = "UPDATE idempotency_records SET expires_at = settled_at";
    let mut paid = Vec::new();
    for generation in [2, 4] {
        let owned = store.own(reopen()).await;
        assert_eq!(
            (owned.by, owned.payment.generation),
            (OwnedBy::Opening, Generation(generation))
        );
        let settled = store.settle(settle(&owned, "paid")).await;
        let Settled::Stored(answer) = settled else { panic!("{settled:?}") };
        assert_eq!(store.open(reopen()).await, Opened::Replay(answer));
        assert_eq!(store.known(&record("k")).await.record.subject, Subject::Payment);
        assert_eq!(stored(&store, reuse(call("k", "one"))).await, OpaqueStored::Mismatch);
        database.execute(expired).expect("it expires");
        assert_eq!(stored(&store, call("k", "one")).await, OpaqueStored::Expired);
        first(&store, reuse(call("k", "one"))).await;
        assert_eq!(store.known(&record("k")).await.record.subject, Subject::Opaque);
        database.execute(expired).expect("it expires");
        paid.push(owned.payment.gateway_key);
    }
    paid.sort();
    paid.dedup();
    assert_eq!(paid.len(), 2, "each is a charge of its own");
    assert_eq!(store.all_payments().await.len(), 2);
}

/// A sweep forgets the key; the payment that it once stood for is still there.
pub async fn a_forgotten_key_that_was_opaque_since_never_pays_a_generation_twice(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let first_payment = store.own(open("k")).await;
    store.settle(settle(&first_payment, "paid")).await;
    database.execute("DELETE FROM idempotency_records").expect("it is forgotten");
    first(&store, expiring(call("k", "one"))).await;
    let reopen = OpenPayment { after_expiry: AfterExpiry::Reuse, ..open("k") };
    let second = store.own(reopen).await;
    assert!(second.payment.generation > first_payment.payment.generation);
    assert_ne!(second.payment.gateway_key, first_payment.payment.gateway_key);
    assert_eq!(store.all_payments().await.len(), 2);
}

pub async fn an_opaque_key_of_another_account_or_key_space_is_another_key(database: Arc<Database>) {
    let store = database.store().await;
    let others = [
        record("k"),
        record("K"),
        RecordId { space: KeySpace::Order, ..record("k") },
        RecordId { account: "another".parse().expect("valid"), ..record("k") },
    ];
    for (at, record) in others.into_iter().enumerate() {
        first(&store, StoreOpaque { record, ..call("k", &at.to_string()) }).await;
    }
}

pub async fn an_opaque_record_of_a_newer_version_is_never_compared(database: Arc<Database>) {
    let store = database.store().await;
    let newer = Fingerprint { version: Fingerprint::CURRENT_VERSION + 1, ..Fingerprint::of(&[]) };
    first(&store, StoreOpaque { fingerprint: newer, ..call("k", "one") }).await;
    let unknown = OpaqueStored::UnknownFingerprintVersion;
    assert_eq!(stored(&store, call("k", "one")).await, unknown);
    assert_eq!(store.open(open("k")).await, Opened::UnknownFingerprintVersion);
}

pub async fn an_opaque_store_out_of_reach_is_unavailable(database: Arc<Database>) {
    let store = database.unreachable_store();
    let found = store.opaque.store(call("k", "one")).await;
    assert!(matches!(found, Err(RepositoryError::Unavailable(_))), "{found:?}");
}
