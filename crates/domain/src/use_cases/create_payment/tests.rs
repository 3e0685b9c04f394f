//! Requests against a key, alone and together.

use std::sync::Mutex;

use tokio::time::sleep;
use uuid::Uuid;

use super::*;
use crate::gateway::{ChargeOutcome, LookUpOutcome};
use crate::payment::PaymentStatus;
use crate::ports::{OwnedBy, Renewed, Settled};
use crate::use_cases::fixtures::{
    self, LEASE, Story, TERMS, Told, charged, lock, settled, unavailable,
};

mod cached;
mod crowd;

const NO_WAIT: Duration = Duration::ZERO;
const WAIT: Duration = Duration::from_secs(5);

type Outcome = Result<CreatePaymentOutcome, CreatePaymentError>;

/// Answers every call of `open`, which gets its number, counted from one.
fn opens(
    mut story: Story,
    answer: impl Fn(usize) -> Result<Opened, RepositoryError> + Send + 'static,
) -> (Arc<CreatePayment>, Opens) {
    let calls: Opens = Arc::default();
    let seen = Arc::clone(&calls);
    story.repository.expect_open().returning(move |open| {
        let mut seen = lock(&seen);
        seen.push((Instant::now(), open));
        answer(seen.len())
    });
    story.gateway.expect_identity().returning(fixtures::identity);
    story.gateway.expect_charge_request().returning(|id, _| format!("charge {id}").into_bytes());
    let create = CreatePayment {
        waiters: Arc::clone(&story.waiters),
        pay: Arc::new(story.pay()),
        tasks: TaskTracker::new(),
        bell: Arc::default(),
        running: Arc::default(),
        keys: Arc::new(crate::ports::MockIdempotencyRepository::new()),
        terms: CreateTerms {
            key_secret: GatewayKeySecret::new(b"secret"),
            after_expiry: AfterExpiry::Refuse,
        },
    };
    (Arc::new(create), calls)
}

type Opens = Arc<Mutex<Vec<(Instant, Arc<OpenPayment>)>>>;

/// A request for the fixtures' payment.
fn command(wait: Duration) -> CreatePaymentCommand {
    CreatePaymentCommand {
        record: fixtures::record(),
        request_id: "req-1".parse().expect("valid"),
        request: fixtures::request(),
        wait,
        respond_async: false,
    }
}

/// A story that may not touch the gateway, nor write.
fn untouched() -> Story {
    Story::new().never_charges().never_looks_up().never_voids().never_renews().never_settles()
}

/// A payment that is approved and stored.
fn paying() -> Story {
    Story::new().charge(ChargeOutcome::Approved(charged())).settle().never_charges()
}

fn owned() -> Result<Opened, RepositoryError> {
    Ok(Opened::Owned(Box::new(fixtures::owned(OwnedBy::Opening))))
}

fn in_use() -> Result<Opened, RepositoryError> {
    Ok(Opened::InUse { payment: fixtures::payment().id, lease_left: LEASE })
}

/// The first request owns the payment, every other finds it in use.
fn owned_once(call: usize) -> Result<Opened, RepositoryError> {
    if call == 1 { owned() } else { in_use() }
}

fn is_in_use(outcome: &Outcome) -> bool {
    matches!(outcome, Err(CreatePaymentError::InUse { payment, retry_after })
        if *payment == fixtures::payment().id && *retry_after == LEASE)
}

#[track_caller]
fn answer(outcome: Outcome) -> (Arc<SettledAnswer>, bool) {
    match outcome {
        Ok(CreatePaymentOutcome::Settled { answer, is_replay }) => (answer, is_replay),
        other => panic!("not settled: {other:?}"),
    }
}

async fn until_idle(create: &CreatePayment) {
    create.tasks.close();
    create.tasks.wait().await;
}

fn told(told: &Mutex<Told>) -> (usize, usize) {
    let told = lock(told);
    (told.charges.len(), told.settles.len())
}

#[tokio::test(start_paused = true)]
async fn a_settled_key_is_replayed_and_nothing_is_sent() {
    let (create, _) = opens(untouched(), |_| Ok(Opened::Replay(settled("first"))));
    let (answer, is_replay) = answer(create.execute(command(WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("first"), true));
}

#[tokio::test(start_paused = true)]
async fn a_pending_payment_is_shown_as_it_is_and_nothing_is_sent() {
    let (create, _) = opens(untouched(), |_| Ok(Opened::Pending(Box::new(fixtures::payment()))));
    let outcome = create.execute(command(WAIT)).await;
    let Ok(CreatePaymentOutcome::Pending { payment, cause: None }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(*payment, fixtures::payment());
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_refused_at_once_and_nothing_is_sent() {
    let payment = fixtures::payment().id;
    let mismatch = move |_| Ok(Opened::Mismatch { payment: Some(payment), fields: vec!["amount"] });
    let (create, _) = opens(untouched(), mismatch);
    let error = create.execute(command(WAIT)).await.expect_err("another request");
    assert!(matches!(error, CreatePaymentError::KeyReused { payment: of, fields }
        if of == Some(payment) && fields == ["amount"]));

    let (create, _) = opens(untouched(), move |_| Ok(Opened::Expired { payment: Some(payment) }));
    let error = create.execute(command(WAIT)).await.expect_err("expired");
    assert!(matches!(error, CreatePaymentError::Expired { payment: of } if of == Some(payment)));

    let (create, _) = opens(untouched(), |_| Ok(Opened::UnknownFingerprintVersion));
    let error = create.execute(command(WAIT)).await.expect_err("unknown version");
    assert!(matches!(error, CreatePaymentError::UnknownFingerprintVersion));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_while_opening_sends_nothing() {
    let (create, calls) = opens(untouched(), |_| Err(unavailable()));
    let error = create.execute(command(WAIT)).await.expect_err("no store");
    assert!(matches!(error, CreatePaymentError::Store(_)));
    assert_eq!(lock(&calls).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_request_pays_once_and_is_no_replay() {
    let story = paying();
    let calls_made = Arc::clone(&story.told);
    let (create, calls) = opens(story, |_| owned());
    let (answer, is_replay) = answer(create.execute(command(WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("stored"), false));
    assert_eq!(told(&calls_made), (1, 1));
    let calls = lock(&calls);
    let [(_, open)] = &calls[..] else { panic!("opened {} times", calls.len()) };
    assert_eq!(open.gateway_request, format!("charge {}", open.candidate).into_bytes());
    assert_eq!((&open.record, &*open.request), (&fixtures::record(), &fixtures::request()));
    assert_eq!((open.lease, &open.gateway), (TERMS.lease, &fixtures::identity()));
    assert!(!open.queued);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_measured_from_before_the_opening() {
    let story = Story::new().never_charges().never_settles().hand_over();
    let clock = Arc::clone(&story.clock);
    let (create, _) = opens(story, move |_| {
        clock.jump(LEASE);
        owned()
    });
    let outcome = create.execute(command(NO_WAIT)).await;
    assert!(matches!(outcome, Ok(CreatePaymentOutcome::Pending { cause: None, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_cannot_be_written_down_is_pending_and_never_an_error() {
    let story = Story::new().charge(ChargeOutcome::Approved(charged()));
    let (create, calls) = opens(story.settle_with(|_| Err(unavailable())), |_| owned());
    let outcome = create.execute(command(WAIT)).await;
    let Ok(CreatePaymentOutcome::Pending { payment, cause: Some(_) }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(payment.status(), PaymentStatus::Processing);
    assert_eq!(lock(&calls).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_the_fence_gets_what_won() {
    let at_settle = || {
        let story = Story::new().charge(ChargeOutcome::Approved(charged()));
        story.settle_with(|_| Ok(Settled::FenceLost)).never_charges()
    };
    let won = |call| if call == 1 { owned() } else { Ok(Opened::Replay(settled("winner's"))) };
    let (create, calls) = opens(at_settle(), won);
    let (answer, is_replay) = answer(create.execute(command(NO_WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("winner's"), true));
    let candidates: Vec<_> = lock(&calls).iter().map(|(_, open)| open.candidate).collect();
    assert_eq!(candidates, [PaymentId(Uuid::from_u128(7)); 2], "the same request both times");

    let (create, _) = opens(at_settle(), owned_once);
    assert!(is_in_use(&create.execute(command(NO_WAIT)).await), "the winner is still paying");

    let at_resend = Story::new().charge(ChargeOutcome::Unknown { reason: "reset".to_owned() });
    let at_resend = at_resend.renew_with(|| Ok(Renewed::FenceLost)).never_charges();
    let (create, _) = opens(at_resend.never_settles(), |call| match call {
        1 => owned(),
        _ => Ok(Opened::Pending(Box::new(fixtures::payment()))),
    });
    let outcome = create.execute(command(NO_WAIT)).await;
    assert!(matches!(outcome, Ok(CreatePaymentOutcome::Pending { cause: None, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_that_does_not_wait_is_told_at_once() {
    let (create, calls) = opens(untouched(), |_| in_use());
    let began = Instant::now();
    assert!(is_in_use(&create.execute(command(NO_WAIT)).await));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!((lock(&calls).len(), create.waiters.waiting()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn duplicates_are_woken_by_the_settle_with_the_same_answer() {
    // Every look at the store says "in use", so that only the settle itself can wake them.
    let took = Duration::from_millis(1234);
    let story = Story { answer_takes: took, ..paying() };
    let calls_made = Arc::clone(&story.told);
    let (create, _) = opens(story, owned_once);
    let began = Instant::now();
    let one = create.execute(command(WAIT));
    let (one, two, three) =
        tokio::join!(one, create.execute(command(WAIT)), create.execute(command(WAIT)));
    let (answer_of_first, is_replay) = answer(one);
    assert!(!is_replay);
    for duplicate in [two, three] {
        let (answer, is_replay) = answer(duplicate);
        assert!(is_replay);
        assert!(Arc::ptr_eq(&answer, &answer_of_first));
    }
    assert!(began.elapsed() < took + Duration::from_millis(10), "woken, not polled");
    assert_eq!(told(&calls_made), (1, 1));
    assert_eq!(create.waiters.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_settle_between_the_first_look_and_the_listening_is_not_missed() {
    let (create, calls) = opens(untouched(), |call| match call {
        1 => in_use(),
        _ => Ok(Opened::Replay(settled("just settled"))),
    });
    let began = Instant::now();
    let (answer, is_replay) = answer(create.execute(command(WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("just settled"), true));
    assert_eq!((began.elapsed(), lock(&calls).len()), (Duration::ZERO, 2));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_of_another_instances_payment_finds_the_answer_at_growing_intervals() {
    let (create, calls) = opens(untouched(), |call| match call {
        1..=5 => in_use(),
        _ => Ok(Opened::Replay(settled("elsewhere"))),
    });
    let (answer, is_replay) = answer(create.execute(command(WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("elsewhere"), true));
    let times: Vec<_> = lock(&calls).iter().map(|(at, _)| *at).collect();
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses.len(), 5);
    assert!(pauses[1] >= Duration::from_millis(100), "{pauses:?}");
    assert!(pauses[1..].is_sorted_by(|one, next| one < next), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_takes_over_when_the_owner_dies_while_it_waits() {
    let story = Story::new().look_up(LookUpOutcome::Approved(charged()));
    let (create, _) = opens(story.settle().never_charges(), |call| match call {
        1..=3 => in_use(),
        _ => Ok(Opened::Owned(Box::new(fixtures::owned(OwnedBy::TakeOver)))),
    });
    let (answer, is_replay) = answer(create.execute(command(WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("stored"), false));
}

#[tokio::test(start_paused = true)]
async fn after_its_wait_a_duplicate_looks_once_more_and_is_told_when_to_repeat() {
    let (create, calls) = opens(untouched(), |_| in_use());
    let began = Instant::now();
    assert!(is_in_use(&create.execute(command(WAIT)).await));
    let took = began.elapsed();
    assert!((WAIT..WAIT + Duration::from_millis(50)).contains(&took), "took {took:?}");
    assert!(lock(&calls).last().is_some_and(|(at, _)| *at - began >= WAIT));
    assert!(lock(&calls).len() < 12, "asked the store {} times", lock(&calls).len());
    assert_eq!(create.waiters.waiting(), 0, "its place is free again");
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_beyond_the_limit_of_waiters_is_told_at_once() {
    let story = Story { waiters: Waiters::new(1), ..untouched() };
    let (create, _) = opens(story, |_| in_use());
    let place = create.waiters.subscribe(fixtures::payment().id).expect("the only place");
    let began = Instant::now();
    assert!(is_in_use(&create.execute(command(WAIT)).await));
    assert_eq!(began.elapsed(), Duration::ZERO);
    drop(place);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_does_not_stop_its_payment() {
    let story = Story { answer_takes: Duration::from_secs(2), ..paying() };
    let calls_made = Arc::clone(&story.told);
    let (create, _) = opens(story, |_| owned());
    let client = tokio::spawn({
        let create = Arc::clone(&create);
        async move { create.execute(command(WAIT)).await }
    });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(told(&calls_made), (1, 0), "the gateway is being called");
    client.abort();
    assert!(client.await.is_err_and(|error| error.is_cancelled()));
    until_idle(&create).await;
    assert_eq!(told(&calls_made), (1, 1));
    assert_eq!(lock(&calls_made).settles[0].payment.status(), PaymentStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_gets_the_answer_of_a_client_that_went_away() {
    let story = Story { answer_takes: Duration::from_secs(2), ..paying() };
    let (create, _) = opens(story, owned_once);
    let gone = tokio::time::timeout(Duration::from_secs(1), create.execute(command(WAIT)));
    assert!(gone.await.is_err());
    let (answer, is_replay) = answer(create.execute(command(WAIT)).await);
    assert_eq!((&*answer, is_replay), (&settled("stored"), true));
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_paying_is_an_error_and_not_a_hang() {
    let mut story = Story::new().never_settles();
    story.gateway.expect_charge().returning(|_, _| panic!("a fault of this program"));
    let (create, _) = opens(story, |_| owned());
    let error = create.execute(command(WAIT)).await.expect_err("interrupted");
    assert!(matches!(error, CreatePaymentError::Interrupted(error) if error.is_panic()));
    until_idle(&create).await;
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_of_what_this_process_is_paying_does_not_ask_the_store() {
    let (create, opens) = opens(untouched(), |_| panic!("the store is not to be asked"));
    let payment = fixtures::payment().id;
    let Joined::First(paying) =
        create.running.join(&fixtures::record(), &fixtures::request().fingerprint())
    else {
        panic!("nobody else is at it")
    };
    paying.paying(payment);
    let at_once = create.execute(command(Duration::ZERO)).await;
    assert!(matches!(at_once, Err(CreatePaymentError::InUse { .. })), "{at_once:?}");

    let waiters = Arc::clone(&create.waiters);
    let waiting =
        tokio::spawn(async move { create.execute(command(Duration::from_secs(5))).await });
    while waiters.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    waiters.settled(payment, &Arc::new(fixtures::settled("paid")));
    let woken = waiting.await.expect("it ends");
    assert!(matches!(woken, Ok(CreatePaymentOutcome::Settled { is_replay: true, .. })));
    assert!(lock(&opens).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_lost_its_fence_never_reuses_a_key_that_expired_meanwhile() {
    let lost = || Ok(Settled::FenceLost);
    let story =
        Story::new().charge(ChargeOutcome::Approved(charged())).settle_with(move |_| lost());
    let (create, opens) = opens(story, |number| match number {
        1 => owned(),
        _ => Ok(Opened::Expired { payment: Some(fixtures::payment().id) }),
    });
    let terms = CreateTerms {
        key_secret: GatewayKeySecret::new(b"secret"),
        after_expiry: AfterExpiry::Reuse,
    };
    let create = Arc::into_inner(create).expect("nobody else has it");
    let create = Arc::new(CreatePayment { terms, ..create });
    let expired = create.execute(command(Duration::ZERO)).await;
    assert!(matches!(expired, Err(CreatePaymentError::Expired { .. })), "{expired:?}");
    let asked: Vec<_> = lock(&opens).iter().map(|(_, open)| open.after_expiry).collect();
    assert_eq!(asked, [AfterExpiry::Reuse, AfterExpiry::Refuse]);
}
