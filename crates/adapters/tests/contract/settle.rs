//! Final states and the answers that are replayed.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::gateway::Decline;
use payonce_domain::idempotency::{Fence, RecordState, SettledAnswer, Settlement, StoredAnswer};
use payonce_domain::payment::{EventKind, PaymentStatus, Verdict};
use payonce_domain::ports::{LeaseRenewal, Opened, Owned, RepositoryError, Settle, Settled};

use crate::fixtures::{DAY, answer, open, open_and_die, record, renewal, settle, timeline};
use crate::harness::{Call, Database, Store, causes, one_owner, race};

pub async fn settling_stores_final_state_and_answer_together(database: Arc<Database>) {
    let store = database.store().await;
    let decline = |reference: Option<&str>, code: Option<&str>| {
        Verdict::Declined(Decline {
            reference: reference.map(str::to_owned),
            code: code.map(str::to_owned),
        })
    };
    let ends = [
        (None, EventKind::Completed),
        (Some(decline(Some("ch_2"), Some("no_funds"))), EventKind::Failed),
        (Some(decline(None, None)), EventKind::Failed),
        (Some(Verdict::Voided), EventKind::Failed),
    ];
    for (n, (verdict, kind)) in ends.into_iter().enumerate() {
        let name = format!("k{n}");
        let owned = store.own(open(&name)).await;
        let mut call = settle(&owned, &name);
        if let Some(verdict) = verdict {
            let payment = owned.payment.clone();
            call.payment = payment.conclude(verdict, owned.now).expect("it may end");
        }
        let mut timeline = timeline(&owned);
        timeline.add(EventKind::Attempt, Some(1), None);
        timeline.add(kind, None, None);
        call.events = timeline.take();

        let before = store.known(&record(&name)).await.now;
        let stored = stored(store.settle(call.clone()).await);
        let known = store.known(&record(&name)).await;
        assert_eq!(stored.answer, call.answer);
        assert_eq!(stored.request_id, owned.request_id);
        assert_eq!(store.payment(owned.payment.id).await, call.payment);
        assert_eq!(store.kinds(owned.payment.id).await, ["created", "attempt", kind.as_str()]);
        assert_eq!(known.record.fence, owned.fence);
        let settled_at = stored.expires_at - DAY;
        assert!(before <= settled_at && settled_at <= known.now, "{settled_at}");
        let settlement =
            Settlement { answer: call.answer, settled_at, expires_at: stored.expires_at };
        assert_eq!(known.record.state, RecordState::Settled(settlement));
        assert_eq!(store.open(open(&name)).await, Opened::Replay(stored));
    }
}

pub async fn settling_under_another_fence_writes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    let loser = store.own(open_and_die("k")).await;
    let winner = store.own(open("k")).await;
    let before = store.snapshot(&winner.payment).await;
    let stale = settle(&loser, "stale");
    let mut elsewhere = settle(&winner, "elsewhere");
    elsewhere.payment.record = record("unknown");
    let others = [Settle { fence: Fence(3), ..stale.clone() }, elsewhere, stale];
    for call in others {
        assert_eq!(store.settle(call.clone()).await, Settled::FenceLost, "{call:?}");
        assert_eq!(store.snapshot(&winner.payment).await, before, "{call:?}");
    }
    assert_eq!(store.keys.find(&record("unknown")).await.expect("it finds"), None);
}

pub async fn the_settle_of_whoever_took_over_stands(database: Arc<Database>) {
    let store = database.store().await;
    let loser = store.own(open_and_die("k")).await;
    let winner = store.own(open("k")).await;
    assert_eq!(store.settle(settle(&loser, "loser")).await, Settled::FenceLost);
    let stored = stored(store.settle(settle(&winner, "winner")).await);
    let settled = store.snapshot(&winner.payment).await;
    assert_eq!(settled.payment.status(), PaymentStatus::Completed);

    assert_eq!(store.settle(settle(&loser, "loser")).await, Settled::FenceLost);
    assert_eq!(store.snapshot(&winner.payment).await, settled);
    assert_eq!(stored.answer, answer("winner"));
    assert_eq!(stored.request_id, loser.request_id, "the request that opened it");
    assert_eq!(store.open(open("k")).await, Opened::Replay(stored));
    assert_eq!(store.kinds(winner.payment.id).await, ["created", "taken_over", "completed"]);
}

pub async fn settling_again_returns_the_first_answer(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let first = store.settle(settle(&owned, "first")).await;
    let settled = store.snapshot(&owned.payment).await;

    let mut timeline = timeline(&owned);
    timeline.add(EventKind::Attempt, Some(1), None);
    timeline.add(EventKind::Failed, None, None);
    let failed = owned.payment.clone().conclude(Verdict::Voided, owned.now).expect("it may end");
    let other = Settle {
        payment: failed,
        retention: DAY * 2,
        events: timeline.take(),
        ..settle(&owned, "other")
    };
    for again in [settle(&owned, "first"), other] {
        assert_eq!(store.settle(again).await, first);
        assert_eq!(store.snapshot(&owned.payment).await, settled);
    }
    assert_eq!(store.kinds(owned.payment.id).await, ["created", "completed"]);
}

/// By two instances: on SQLite, whoever reads to decide must hold the write lock by then.
pub async fn of_16_settles_under_one_fence_one_is_stored_and_all_return_it(
    database: Arc<Database>,
) {
    let stores = [database.store().await, database.store().await];
    for round in 0..10 {
        let name = format!("k{round}");
        let owned = stores[0].own(open(&name)).await;
        let calls = (0..16).map(|n| stores[n % 2].settling(settle(&owned, &n.to_string())));
        let mut answers: Vec<_> = race(calls).await.into_iter().map(stored).collect();
        let one = answers.remove(0);
        assert!(answers.iter().all(|other| *other == one), "{one:?} and {answers:?}");
        assert_eq!(stores[1].open(open(&name)).await, Opened::Replay(one));
        assert_eq!(stores[1].kinds(owned.payment.id).await, ["created", "completed"]);
    }
}

pub async fn an_answer_is_replayed_byte_for_byte(database: Arc<Database>) {
    let store = database.store().await;
    let every_byte: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    let answers = [
        StoredAnswer {
            status: 201,
            content_type: "application/problem+json; charset=\"utf-8\"".to_owned(),
            location: Some("/payments/1?q='ü'&🐚".to_owned()),
            body: every_byte.into(),
        },
        StoredAnswer { status: 100, content_type: String::new(), location: None, body: "".into() },
        StoredAnswer {
            status: 599,
            content_type: "text/plain".to_owned(),
            location: Some(String::new()),
            body: vec![0xff; 1 << 20].into(),
        },
    ];
    for (n, answer) in answers.into_iter().enumerate() {
        let name = format!("k{n}");
        let owned = store.own(open(&name)).await;
        let call = Settle { answer: answer.clone(), ..settle(&owned, "") };
        let stored = stored(store.settle(call).await);
        assert!(stored.answer == answer, "{n}");
        assert_eq!(stored.request_id, owned.request_id);
        for _ in 0..2 {
            let replay = store.open(open(&name)).await;
            assert!(replay == Opened::Replay(stored.clone()), "{n}");
        }
    }
}

/// Across two instances too: either the owner settles and nobody takes over, or somebody takes
/// over and nothing is settled.
pub async fn a_settle_and_a_take_over_never_both_win(database: Arc<Database>) {
    #[derive(Debug)]
    enum End {
        Settled(Settled),
        Opened(Opened),
    }
    fn settling(store: &Store, owned: &Owned) -> Call<End> {
        let call = store.settling(settle(owned, "paid"));
        Box::pin(async move { End::Settled(call.await) })
    }
    fn opening(store: &Store, name: &str) -> Call<End> {
        let call = store.opening(open(name));
        Box::pin(async move { End::Opened(call.await) })
    }

    let store = database.store().await;
    let other = database.store().await;
    for round in 0..20 {
        let name = format!("k{round}");
        let owned = store.own(open_and_die(&name)).await;
        let mut calls = vec![settling(&store, &owned)];
        calls.extend((0..7).map(|n| opening([&store, &other][n % 2], &name)));
        let (mut settled, mut found) = (Vec::new(), Vec::new());
        for end in race(calls).await {
            match end {
                End::Settled(one) => settled.push(one),
                End::Opened(one) => found.push(one),
            }
        }
        let status = store.payment(owned.payment.id).await.status();
        if let [Settled::Stored(stored)] = settled.as_slice() {
            let replay = Opened::Replay(stored.clone());
            assert!(found.iter().all(|one| *one == replay), "{found:?}");
            assert_eq!(status, PaymentStatus::Completed);
            assert_eq!(store.kinds(owned.payment.id).await, ["created", "completed"]);
        } else {
            let (winner, others) = one_owner(found);
            assert_eq!(winner.fence, Fence(2));
            assert!(others.iter().all(|one| matches!(one, Opened::InUse { .. })), "{others:?}");
            assert_eq!(status, PaymentStatus::Processing);
            assert_eq!(store.kinds(owned.payment.id).await, ["created", "taken_over"]);
        }
    }
}

pub async fn a_final_payment_never_gets_another_end(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    database
        .execute(
            "INSERT INTO payment_outcomes (account_id, payment_id, status, failure_code,
                 completed_at, created_at, fence, step, at, actor, kind)
             SELECT account_id, id, 'FAILED', 'gateway_error', created_at, created_at, 1, 1, created_at, 'request',
                 'failed'
             FROM payments",
        )
        .expect("it runs");
    let before = store.snapshot(&owned.payment).await;
    let refused =
        store.payments.settle(Box::new(settle(&owned, "paid"))).await.expect_err("it is final");
    let RepositoryError::Inconsistent { place, .. } = &refused else { panic!("{refused:?}") };
    assert!(place.starts_with("payment_outcomes.status"), "{place}");
    assert!(place.contains(&owned.payment.id.to_string()), "{place}");
    assert_eq!(store.snapshot(&owned.payment).await, before, "not even the record has changed");
}

pub async fn a_settle_that_is_refused_writes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let before = store.snapshot(&owned.payment).await;
    for status in [99, 600, u16::MAX] {
        let answer = StoredAnswer { status, ..answer("odd") };
        let call = Settle { answer, ..settle(&owned, "") };
        let refused = store.payments.settle(Box::new(call)).await.expect_err("no such status");
        assert!(matches!(refused, RepositoryError::Refused(_)), "{status}: {refused:?}");
        assert_eq!(store.snapshot(&owned.payment).await, before, "{status}");
    }
    let call = Settle { answer: StoredAnswer { status: 600, ..answer("") }, ..settle(&owned, "") };
    let refused = store.payments.settle(Box::new(call)).await.expect_err("no such status");
    assert!(causes(&refused).contains("answer_status"), "{}", causes(&refused));
    stored(store.settle(settle(&owned, "paid")).await);
}

pub async fn a_settle_that_tells_of_no_end_writes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let before = store.snapshot(&owned.payment).await;
    let endless = Settle { payment: owned.payment.clone(), ..settle(&owned, "paid") };
    let silent = Settle { events: Vec::new(), ..settle(&owned, "paid") };
    for call in [endless, silent] {
        let refused = store.payments.settle(Box::new(call)).await.expect_err("there is no end");
        let RepositoryError::Inconsistent { place, .. } = &refused else { panic!("{refused:?}") };
        assert_eq!(*place, format!("the end of payment {}", owned.payment.id));
        assert_eq!(store.snapshot(&owned.payment).await, before);
    }
    stored(store.settle(settle(&owned, "paid")).await);
}

/// What led to the end has rows of its own: without them there is no end.
pub async fn a_settle_whose_timeline_cannot_be_written_whole_writes_nothing(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let before = store.snapshot(&owned.payment).await;
    let mut timeline = timeline(&owned);
    timeline.add(EventKind::Attempt, Some(1), Some("unknown: timeout".to_owned()));
    timeline.add(EventKind::Attempt, Some(2), Some("approved".to_owned()));
    timeline.add(EventKind::Completed, None, None);
    let call = Settle { events: timeline.take(), ..settle(&owned, "paid") };
    database.execute("ALTER TABLE payment_events RENAME TO away").expect("it runs");
    let settled = store.payments.settle(Box::new(call.clone())).await;
    let after = store.snapshot(&owned.payment).await;
    database.execute("ALTER TABLE away RENAME TO payment_events").expect("it runs");
    let refused = settled.expect_err("the first attempt cannot be told");
    assert!(causes(&refused).contains("payment_events"), "{}", causes(&refused));
    assert_eq!(after, before);
    stored(store.settle(call).await);
    let kinds = ["created", "attempt", "attempt", "completed"];
    assert_eq!(store.kinds(owned.payment.id).await, kinds);
}

pub async fn a_settle_needs_no_living_lease_only_the_fence(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open_and_die("k")).await;
    let dying = LeaseRenewal { lease: Duration::ZERO, ..renewal(&owned) };
    store.payments.renew(dying).await.expect("it renews");
    let stored = stored(store.settle(settle(&owned, "paid")).await);
    let payment = store.payment(owned.payment.id).await;
    assert_eq!((payment.status(), payment.attempts), (PaymentStatus::Completed, 2));
    assert_eq!(store.open(open("k")).await, Opened::Replay(stored));
}

fn stored(settled: Settled) -> SettledAnswer {
    match settled {
        Settled::Stored(stored) => stored,
        Settled::FenceLost => panic!("the fence was lost"),
    }
}
