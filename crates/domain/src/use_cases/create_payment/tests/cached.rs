//! Requests whose answer may be at hand.

use super::*;
use crate::idempotency::{Fingerprint, KeySpace};
use crate::ports::{CachedAnswer, MockReplayCache};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is left of a day's answer when it is kept, from the clock's reading `asked_at`.
fn kept_until(asked_at: Duration) -> Duration {
    asked_at + DAY - DAY / 1000
}

fn at_hand() -> CachedAnswer {
    CachedAnswer {
        record: fixtures::record(),
        fingerprint: fixtures::request().fingerprint(),
        answer: Arc::new(settled("at hand")),
        live_until: DAY,
    }
}

/// A cache that has this answer, whatever it is asked for.
fn has(cached: CachedAnswer) -> MockReplayCache {
    let mut cache = MockReplayCache::new();
    let cached = Arc::new(cached);
    cache.expect_find().returning(move |_| Some(Arc::clone(&cached)));
    cache
}

fn empty() -> MockReplayCache {
    let mut cache = MockReplayCache::new();
    cache.expect_find().return_const(None);
    cache
}

type Kept = Arc<Mutex<Vec<Arc<CachedAnswer>>>>;

/// An empty cache and what it is told to keep.
fn keeping() -> (MockReplayCache, Kept) {
    let kept: Kept = Arc::default();
    let (mut cache, keep) = (empty(), Arc::clone(&kept));
    cache.expect_remember().returning(move |answer| lock(&keep).push(answer));
    (cache, kept)
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_hand_is_replayed_and_neither_store_nor_gateway_is_asked() {
    for is_gateway_away in [false, true] {
        let story = Story { cache: Some(has(at_hand())), is_gateway_away, ..untouched() };
        let (create, calls) = opens(story, |_| Err(unavailable()));
        let (answer, is_replay) = answer(create.execute(command(NO_WAIT)).await);
        assert_eq!((&*answer, is_replay), (&settled("at hand"), true));
        assert_eq!(lock(&calls).len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_anything_else_is_never_replayed() {
    let payment = fixtures::payment().id;
    let (record, fingerprint) = (fixtures::record(), fixtures::request().fingerprint());
    let version = fingerprint.version + 1;
    for other in [
        CachedAnswer { fingerprint: Fingerprint::of(&[]), ..at_hand() },
        CachedAnswer { fingerprint: Fingerprint { version, ..fingerprint }, ..at_hand() },
        CachedAnswer {
            record: RecordId { account: "another".parse().expect("valid"), ..record.clone() },
            ..at_hand()
        },
        CachedAnswer { record: RecordId { space: KeySpace::Order, ..record.clone() }, ..at_hand() },
    ] {
        let story = Story { cache: Some(has(other.clone())), ..untouched() };
        let mismatch =
            move |_| Ok(Opened::Mismatch { payment: Some(payment), fields: vec!["amount"] });
        let (create, calls) = opens(story, mismatch);
        let error = create.execute(command(NO_WAIT)).await.expect_err("the store says so");
        assert!(matches!(error, CreatePaymentError::KeyReused { .. }), "{other:?}");
        assert_eq!(lock(&calls).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_look_finds_is_replayed_and_kept_and_nothing_is_opened() {
    for is_gateway_away in [false, true] {
        let (cache, kept) = keeping();
        let story = Story { cache: Some(cache), is_gateway_away, ..untouched() };
        let clock = Arc::clone(&story.clock);
        clock.jump(Duration::from_secs(7));
        let stored = settled("stored");
        lock(&story.told).looked_up = Some(Ok(stored.clone()));
        let (create, calls) = opens(story, |_| Err(unavailable()));
        let (answer, is_replay) = answer(create.execute(command(NO_WAIT)).await);
        assert_eq!((&*answer, is_replay), (&stored, true));
        assert_eq!(lock(&calls).len(), 0);
        let kept = lock(&kept);
        let [kept] = kept.as_slice() else { panic!("{kept:?}") };
        assert!(kept.answers(&fixtures::record(), &fixtures::request().fingerprint()));
        assert_eq!(kept.answer, answer);
        assert_eq!(kept.live_until, kept_until(Duration::from_secs(7)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_expects_no_repeats_is_asked_by_opening_alone() {
    let story = untouched();
    let told = Arc::clone(&story.told);
    lock(&told).expects_no_repeats = true;
    lock(&told).looked_up = Some(Err(unavailable()));
    let (create, calls) = opens(story, |_| Ok(Opened::Replay(settled("stored"))));
    let (answer, is_replay) = answer(create.execute(command(NO_WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("stored"), true));
    assert_eq!((lock(&calls).len(), lock(&told).looks), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_fails_the_request_before_anything_is_opened() {
    let story = untouched();
    lock(&story.told).looked_up = Some(Err(unavailable()));
    let (create, calls) = opens(story, |_| owned());
    let failed = create.execute(command(NO_WAIT)).await;
    let Err(CreatePaymentError::Store(RepositoryError::Unavailable(_))) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(lock(&calls).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_once_it_is_stored_and_lives_from_before_that() {
    let (cache, kept) = keeping();
    let seen = Arc::clone(&kept);
    let story = Story::new().charge(ChargeOutcome::Approved(charged())).never_charges();
    let clock = Arc::clone(&story.clock);
    clock.jump(Duration::from_secs(7));
    let story = story.settle_with(move |_| {
        assert!(lock(&seen).is_empty(), "it is not stored yet");
        clock.jump(Duration::from_secs(100));
        Ok(Settled::Stored(settled("stored")))
    });
    let (create, _) = opens(Story { cache: Some(cache), ..story }, |_| owned());
    let (answer, is_replay) = answer(create.execute(command(NO_WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("stored"), false));
    let expected =
        CachedAnswer { answer, live_until: kept_until(Duration::from_secs(7)), ..at_hand() };
    assert_eq!(*lock(&kept), [Arc::new(expected)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_store_is_kept_and_lives_from_before_it_was_asked() {
    let (cache, kept) = keeping();
    let story = Story { cache: Some(cache), ..untouched() };
    let clock = Arc::clone(&story.clock);
    let (create, _) = opens(story, move |_| {
        clock.jump(Duration::from_secs(100));
        Ok(Opened::Replay(settled("first")))
    });
    let (answer, is_replay) = answer(create.execute(command(NO_WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("first"), true));
    let expected = CachedAnswer { answer, live_until: kept_until(Duration::ZERO), ..at_hand() };
    assert_eq!(*lock(&kept), [Arc::new(expected)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_what_is_not_final() {
    let payment = fixtures::payment().id;
    let pending = || Ok(Opened::Pending(Box::new(fixtures::payment())));
    let found: [fn(PaymentId) -> Opened; 3] = [
        |payment| Opened::Expired { payment: Some(payment) },
        |payment| Opened::InUse { payment, lease_left: LEASE },
        |_| Opened::UnknownFingerprintVersion,
    ];
    // A mock that is told to keep anything fails its test.
    for found in found {
        let story = Story { cache: Some(empty()), ..untouched() };
        let (create, _) = opens(story, move |_| Ok(found(payment)));
        create.execute(command(NO_WAIT)).await.expect_err("it has no answer");
    }
    let (create, _) = opens(Story { cache: Some(empty()), ..untouched() }, move |_| pending());
    create.execute(command(NO_WAIT)).await.expect("it is pending");
    let story = Story::new().charge(ChargeOutcome::Approved(charged()));
    let story = story.settle_with(|_| Err(unavailable()));
    let (create, _) = opens(Story { cache: Some(empty()), ..story }, |_| owned());
    create.execute(command(NO_WAIT)).await.expect("it is pending");
    let story = Story::new().charge(ChargeOutcome::Approved(charged()));
    let story = story.settle_with(|_| Ok(Settled::FenceLost)).never_charges();
    let (create, _) = opens(Story { cache: Some(empty()), ..story }, owned_once);
    assert!(is_in_use(&create.execute(command(NO_WAIT)).await));
}
