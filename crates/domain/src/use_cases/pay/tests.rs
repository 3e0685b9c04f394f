//! One round at the gateway, step by step.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::gateway::LookUpOutcome;
use crate::payment::{Failure, NewEvent, PaymentState, PaymentStatus};
use crate::use_cases::fixtures::{
    self, LEASE, Story, TERMS, Told, charged, decline, lock, unavailable,
};

mod left_open;
mod went_live;
mod window;

const HOUR: Duration = Duration::from_secs(3600);

impl Story {
    async fn of_fresh(self) -> Ended {
        self.of(fixtures::owned(OwnedBy::Opening)).await
    }

    async fn of_taken_over(self) -> Ended {
        self.of(fixtures::owned(OwnedBy::TakeOver)).await
    }

    async fn of(self, owned: Owned) -> Ended {
        let (told, began) = (Arc::clone(&self.told), Instant::now());
        let leased_at = self.clock.elapsed();
        self.clock.jump(self.asleep_before_paying);
        let paid = self.pay().execute(Box::new(owned), leased_at).await;
        let told = std::mem::take(&mut *lock(&told));
        Ended { paid, told, took: began.elapsed() }
    }
}

struct Ended {
    paid: Paid,
    told: Told,
    took: Duration,
}

impl Ended {
    /// The state that was stored, with the answer that the caller gets.
    fn settled(&self) -> &PaymentState {
        let Paid::Settled(answer) = &self.paid else { panic!("{:?}", self.paid) };
        assert_eq!(**answer, fixtures::settled("stored"));
        &self.told.settles[0].payment.state
    }

    fn failure(&self) -> &Failure {
        let PaymentState::Failed { failure, .. } = self.settled() else { panic!("not failed") };
        failure
    }

    fn is_completed(&self) -> bool {
        let state = self.settled();
        matches!(state, PaymentState::Completed { gateway_reference: of, .. } if *of == "ch_1")
    }

    /// Timers end on the next whole millisecond.
    fn took_about(&self, expected: Duration) -> bool {
        (expected..expected + Duration::from_millis(10)).contains(&self.took)
    }

    fn unfinished(&self) -> (&Payment, Option<&PayError>) {
        let Paid::Unfinished { payment, cause } = &self.paid else { panic!("{:?}", self.paid) };
        assert_eq!(payment.status(), PaymentStatus::Processing);
        (payment, cause.as_ref())
    }
}

fn approved() -> ChargeOutcome {
    ChargeOutcome::Approved(charged())
}

fn unknown() -> ChargeOutcome {
    ChargeOutcome::Unknown { reason: "reset".to_owned() }
}

fn not_executed(retry_after: Option<Duration>) -> ChargeOutcome {
    ChargeOutcome::NotExecuted { reason: "429".to_owned(), retry_after }
}

fn not_found() -> LookUpOutcome {
    LookUpOutcome::Unseen { reason: "404".to_owned() }
}

fn no_void() -> VoidOutcome {
    VoidOutcome::Nothing { reason: "500".to_owned() }
}

/// All three attempts of a fresh payment, none of which proves anything.
fn every_attempt_fails(with: fn() -> ChargeOutcome) -> Story {
    Story::new().charge(with()).renew().charge(with()).renew().charge(with())
}

fn taken_over(change: impl FnOnce(&mut Payment)) -> Owned {
    let mut owned = fixtures::owned(OwnedBy::TakeOver);
    change(&mut owned.payment);
    owned
}

#[tokio::test(start_paused = true)]
async fn an_approval_completes_the_payment_with_one_send() {
    let story = Story::new().charge(approved()).settle().never_charges().never_renews();
    let ended = story.never_looks_up().never_voids().of_fresh().await;
    assert!(ended.is_completed());
    let payment = fixtures::payment();
    assert_eq!(ended.told.charges, [(payment.gateway_key, payment.gateway_request)]);
    let settle = &ended.told.settles[0];
    assert_eq!(settle.answer, fixtures::settled("COMPLETED").answer);
    assert_eq!((settle.fence, settle.retention), (Fence::FIRST, TERMS.retention));
    let (fence, actor) = (Fence::FIRST, Actor::Request);
    let event = |step, kind, attempt, detail: Option<&str>| {
        let detail = detail.map(str::to_owned);
        NewEvent { fence, step, actor, kind, attempt, detail }
    };
    let attempt = event(1, EventKind::Attempt, Some(1), Some("approved"));
    assert_eq!(settle.events, [attempt, event(2, EventKind::Completed, None, None)]);
}

#[tokio::test(start_paused = true)]
async fn a_decline_or_a_burnt_key_fails_the_payment_with_one_send() {
    let declined = Failure::Declined { code: decline().code };
    for (outcome, failure, reference) in [
        (ChargeOutcome::Declined(decline()), declined, decline().reference),
        (ChargeOutcome::Voided, Failure::GatewayError, None),
    ] {
        let story = Story::new().charge(outcome).settle().never_charges().never_renews();
        let ended = story.never_looks_up().never_voids().of_fresh().await;
        let at = fixtures::payment().created_at;
        let failed = PaymentState::Failed { failure, gateway_reference: reference, at };
        assert_eq!(*ended.settled(), failed);
        assert_eq!(ended.told.settles[0].answer, fixtures::settled("FAILED").answer);
        assert_eq!(ended.told.kinds(), ["attempt", "failed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_resend_is_committed_first_and_repeats_the_same_bytes_under_the_same_key() {
    let story = Story::new().charge(unknown()).renew().charge(approved()).settle();
    let ended = story.never_charges().of_fresh().await;
    assert!(ended.is_completed());
    let renewal = &ended.told.renewals[0];
    assert_eq!((renewal.attempts, renewal.fence, renewal.lease), (2, Fence::FIRST, LEASE));
    assert!(!renewal.void_intended);
    assert_eq!(ended.told.charges.len(), 2);
    assert_eq!(ended.told.charges[0], ended.told.charges[1]);
    assert_eq!(ended.told.kinds(), ["attempt", "attempt", "completed"]);
    assert_eq!(ended.told.settles[0].payment.attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_and_end_and_pauses_grow() {
    let story = every_attempt_fails(unknown).look_up(LookUpOutcome::Approved(charged())).settle();
    let ended = story.never_charges().of_fresh().await;
    let attempts: Vec<_> = ended.told.renewals.iter().map(|renewal| renewal.attempts).collect();
    assert_eq!(attempts, [2, 3]);
    assert!(ended.took_about(TERMS.retry.backoff_base * 3), "took {:?}", ended.took);
    let steps: Vec<_> = ended.told.events().iter().map(|event| event.step).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn what_the_look_up_proves_is_settled_without_a_void() {
    for (found, status) in [
        (LookUpOutcome::Approved(charged()), PaymentStatus::Completed),
        (LookUpOutcome::Declined(decline()), PaymentStatus::Failed),
        (LookUpOutcome::Voided, PaymentStatus::Failed),
    ] {
        let story = every_attempt_fails(unknown).look_up(found).settle().never_voids();
        let ended = story.of_fresh().await;
        assert!(matches!(ended.paid, Paid::Settled(_)));
        assert_eq!(ended.told.settles[0].payment.status(), status);
        assert!(ended.told.renewals.iter().all(|renewal| !renewal.void_intended));
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_fails_only_by_a_confirmed_void_whose_intention_was_committed_first() {
    // A refusal on every attempt proves no more than doubt on every attempt.
    for outcome in [unknown, || not_executed(None)] {
        let story = every_attempt_fails(outcome).look_up(not_found());
        let ended = story.renew().void(VoidOutcome::Voided).settle().of_fresh().await;
        assert_eq!(*ended.failure(), Failure::GatewayError);
        let intended: Vec<_> =
            ended.told.renewals.iter().map(|one| (one.void_intended, one.attempts)).collect();
        assert_eq!(intended, [(false, 2), (false, 3), (true, 3)]);
        assert_eq!(
            ended.told.kinds()[3..],
            ["look_up", "void_intended", "void", "failed"],
            "the intention is in the timeline once, before the void"
        );
        assert_eq!(
            ended.told.renewals[2].events.last().map(|one| one.kind),
            Some(EventKind::VoidIntended)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_void_that_finds_the_charge_settled_completes_the_payment() {
    let story = every_attempt_fails(unknown).look_up(not_found()).renew();
    let ended = story.void(VoidOutcome::Settled(charged())).settle().of_fresh().await;
    assert!(ended.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_void_that_finds_a_decline_fails_the_payment_as_declined() {
    let story = every_attempt_fails(unknown).look_up(not_found()).renew();
    let ended = story.void(VoidOutcome::Declined(decline())).settle().of_fresh().await;
    assert_eq!(*ended.failure(), Failure::Declined { code: decline().code });
}

#[tokio::test(start_paused = true)]
async fn a_void_without_an_answer_leaves_the_payment_to_recovery() {
    let story = every_attempt_fails(unknown).look_up(not_found()).renew().void(no_void());
    let story = story.renew().void(no_void()).renew().void(no_void()).hand_over();
    let ended = story.never_settles().never_voids().of_fresh().await;
    let (payment, cause) = ended.unfinished();
    assert!(cause.is_none());
    assert!(payment.void_intended_at.is_some());
    assert!(ended.told.renewals[2..].iter().all(|renewal| renewal.void_intended));
    let kinds = ended.told.kinds();
    assert_eq!(kinds.iter().filter(|kind| **kind == "void_intended").count(), 1);
    assert_eq!(kinds.last(), Some(&"handed_over"));
    assert_eq!(ended.told.hand_overs[0].to, HandOverTo::Recovery(TERMS.recovery.first_delay));
}

#[test]
fn the_pause_before_the_next_look_is_the_payments_age_within_its_bounds() {
    let RecoveryTerms { first_delay, longest_delay, .. } = TERMS.recovery;
    let at = |age| TERMS.recovery.delay_at(age);
    assert_eq!(at(time::Duration::ZERO), first_delay);
    assert_eq!(at(time::Duration::seconds(-3600)), first_delay, "the store's clock was set back");
    assert_eq!(at(time::Duration::seconds(20)), Duration::from_secs(20));
    assert_eq!(at(time::Duration::days(1)), longest_delay);
}

#[tokio::test(start_paused = true)]
async fn an_owner_after_many_hands_a_young_payment_over_for_a_short_pause() {
    let mut owned = fixtures::owned(OwnedBy::Opening);
    owned.fence = Fence(60);
    let story = every_attempt_fails(unknown).look_up(not_found()).renew().void(no_void());
    let story = story.renew().void(no_void()).renew().void(no_void()).hand_over();
    let ended = story.never_settles().never_voids().of(owned).await;
    assert_eq!(ended.told.hand_overs[0].to, HandOverTo::Recovery(TERMS.recovery.first_delay));
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_gateway_asks_for_is_honoured() {
    let asked = Duration::from_secs(4);
    let story = Story::new().charge(not_executed(Some(asked))).renew().charge(approved());
    let ended = story.settle().of_fresh().await;
    assert!(ended.is_completed());
    assert!(ended.took_about(asked), "took {:?}", ended.took);
    let PaymentState::Completed { at, .. } = ended.settled() else { panic!("not completed") };
    assert_eq!(*at, fixtures::payment().created_at + ended.took, "by the store's clock");
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_ends_the_attempts() {
    let story = Story::new().charge(not_executed(Some(HOUR))).look_up(not_found()).renew();
    let ended = story.void(VoidOutcome::Voided).settle().never_charges().of_fresh().await;
    assert_eq!(*ended.failure(), Failure::GatewayError);
    assert!(ended.took_about(Duration::ZERO), "took {:?}", ended.took);
    assert_eq!(ended.told.charges.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_never_fails_a_payment_nor_shuts_the_door_for_a_void_that_has_no_time_left() {
    // The gateway's words would end the payment, but they come too late.
    let voided = || ChargeOutcome::Voided;
    let story = every_attempt_fails(voided).look_up(LookUpOutcome::Voided);
    let story = story.hand_over().never_settles().never_voids();
    let ended = Story { answer_takes: HOUR, ..story }.of_fresh().await;
    assert!(ended.unfinished().1.is_none());
    assert!(ended.took_about(TERMS.retry.deadline), "took {:?}", ended.took);
    let timeouts = ended.told.events();
    let timeouts = timeouts.iter().filter_map(|event| event.detail.as_deref());
    let timeout = ["unknown: timeout"; 3].into_iter().chain(["nothing: timeout"; 1]);
    assert!(timeouts.eq(timeout));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_answers_within_the_timeout_is_heard() {
    let story = Story::new().charge(approved()).settle().never_charges();
    let answer_takes = TERMS.retry.attempt_timeout - Duration::from_millis(100);
    let ended = Story { answer_takes, ..story }.of_fresh().await;
    assert!(ended.is_completed());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_fence_is_lost() {
    let lost = || Ok(Renewed::FenceLost);
    let at_resend = Story::new().charge(unknown()).renew_with(lost);
    let at_void = every_attempt_fails(unknown).look_up(not_found()).renew_with(lost);
    for story in [at_resend, at_void] {
        let ended = story.never_charges().never_voids().never_settles().of_fresh().await;
        assert!(matches!(ended.paid, Paid::FenceLost));
        assert!(ended.told.hand_overs.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_the_fence_wakes_nobody_and_has_no_answer() {
    let story = Story::new().charge(approved()).settle_with(|_| Ok(Settled::FenceLost));
    let mut waiting = story.waiters.subscribe(fixtures::payment().id).expect("a place");
    let ended = story.of_fresh().await;
    assert!(matches!(ended.paid, Paid::FenceLost));
    assert_eq!(waiting.answer(HOUR).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_hand_over_under_a_stale_fence_is_a_lost_fence() {
    let owned = taken_over(|payment| payment.first_sent_at = Some(payment.created_at - 24 * HOUR));
    let story = Story::new().look_up(not_found()).hand_over_with(|| Ok(Renewed::FenceLost));
    assert!(matches!(story.of(owned).await.paid, Paid::FenceLost));
}

#[tokio::test(start_paused = true)]
async fn a_take_over_looks_up_before_it_sends_and_settles_what_it_finds() {
    let story = Story::new().look_up(LookUpOutcome::Approved(charged())).settle();
    let ended = story.never_charges().never_renews().never_voids().of_taken_over().await;
    assert!(ended.is_completed());
    let settle = &ended.told.settles[0];
    assert_eq!(settle.fence, Fence(2));
    assert!(settle.events.iter().all(|one| one.fence == Fence(2) && one.actor == Actor::Retry));
}

#[tokio::test(start_paused = true)]
async fn a_take_over_that_finds_nothing_commits_and_then_sends_the_same_again() {
    let story = Story::new().look_up(not_found()).renew().charge(approved()).settle();
    let ended = story.never_charges().of_taken_over().await;
    assert!(ended.is_completed());
    let renewal = &ended.told.renewals[0];
    assert_eq!((renewal.attempts, renewal.fence), (2, Fence(2)));
    let payment = fixtures::payment();
    assert_eq!(ended.told.charges, [(payment.gateway_key, payment.gateway_request)]);
}

#[tokio::test(start_paused = true)]
async fn a_take_over_makes_one_round_of_attempts_and_then_voids() {
    let story = Story::new().look_up(not_found()).renew().charge(unknown()).renew();
    let story = story.charge(unknown()).renew().charge(unknown()).look_up(not_found());
    let story = story.renew().void(VoidOutcome::Voided).settle().never_charges();
    let ended = story.of_taken_over().await;
    assert_eq!(*ended.failure(), Failure::GatewayError);
    assert_eq!(ended.told.settles[0].payment.attempts, 4);
}

#[tokio::test(start_paused = true)]
async fn a_take_over_of_an_intended_void_only_voids() {
    // Also past the gateway's deduplication window.
    for age in [Duration::from_secs(60), 48 * HOUR] {
        let owned = taken_over(|payment| {
            payment.first_sent_at = Some(payment.created_at - age);
            payment.void_intended_at = Some(payment.created_at);
        });
        let story = Story::new().renew().void(no_void()).renew().void(VoidOutcome::Voided);
        let ended = story.settle().never_charges().never_looks_up().of(owned).await;
        assert_eq!(*ended.failure(), Failure::GatewayError);
        assert!(ended.told.renewals.iter().all(|one| one.void_intended && one.attempts == 1));
        assert_eq!(ended.told.kinds(), ["void", "void", "failed"], "intended before");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_was_never_sent_is_sent_without_a_look_up_but_not_without_a_commit() {
    let owned = taken_over(|payment| {
        payment.attempts = 0;
        payment.first_sent_at = None;
    });
    let story = Story::new().renew().charge(approved()).settle().never_looks_up();
    let ended = story.of(owned).await;
    assert!(ended.is_completed());
    assert_eq!(ended.told.renewals[0].attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_once_the_lease_may_be_over() {
    let asleep = |story: &Story| {
        let clock = Arc::clone(&story.clock);
        move || {
            clock.jump(LEASE);
            Ok(Renewed::Granted)
        }
    };
    let opening = Story { asleep_before_paying: LEASE, ..Story::new().never_renews() };
    let resend = Story::new().charge(unknown());
    let sleeps = asleep(&resend);
    let resend = resend.renew_with(sleeps);
    let void = every_attempt_fails(unknown).look_up(not_found());
    let sleeps = asleep(&void);
    let void = void.renew_with(sleeps);
    for story in [opening, resend, void] {
        let story = story.never_charges().never_voids().never_settles().hand_over();
        assert!(story.of_fresh().await.unfinished().1.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn each_commit_before_a_send_begins_a_new_lease() {
    let asleep = LEASE - Duration::from_secs(1);
    let story = Story::new();
    let clock = Arc::clone(&story.clock);
    let story = story.charge(unknown()).renew().charge(unknown()).renew_with(move || {
        clock.jump(asleep);
        Ok(Renewed::Granted)
    });
    let story = story.charge(approved()).settle();
    let ended = Story { asleep_before_paying: asleep, ..story }.of_fresh().await;
    assert!(ended.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_makes_no_answer_and_wakes_nobody() {
    let at_settle = Story::new().charge(approved()).settle_with(|_| Err(unavailable()));
    let at_resend = Story::new().charge(unknown()).renew_with(|| Err(unavailable()));
    let opening = Story { asleep_before_paying: LEASE, ..Story::new() };
    let at_hand_over = opening.hand_over_with(|| Err(unavailable()));
    for story in [at_settle, at_resend, at_hand_over] {
        let mut waiting = story.waiters.subscribe(fixtures::payment().id).expect("a place");
        let ended = story.never_charges().never_looks_up().never_voids().of_fresh().await;
        assert!(matches!(ended.unfinished().1, Some(PayError::Store(_))));
        assert_eq!(waiting.answer(HOUR).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_payment_is_never_settled_again() {
    let at = fixtures::payment().created_at;
    let state = PaymentState::Completed { gateway_reference: "ch_0".to_owned(), at };
    let owned = taken_over(|payment| payment.state = state.clone());
    let story = Story::new().look_up(LookUpOutcome::Voided).never_settles();
    let ended = story.of(owned).await;
    let Paid::Unfinished { payment, cause: Some(PayError::Transition(_)) } = ended.paid else {
        panic!("{:?}", ended.paid)
    };
    assert_eq!(payment.state, state);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_woken_with_the_stored_answer_and_not_before_it_is_stored() {
    let story = Story::new().charge(approved());
    let waiting = story.waiters.subscribe(fixtures::payment().id).expect("a place");
    let waiting = Arc::new(Mutex::new(waiting));
    let early = Arc::clone(&waiting);
    let story = story.settle_with(move |_| {
        let mut early = lock(&early);
        let mut answer = pin!(early.answer(HOUR));
        let polled = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending), "woken too early: {polled:?}");
        Ok(Settled::Stored(fixtures::settled("stored")))
    });
    let ended = story.of_fresh().await;
    let Paid::Settled(paid) = ended.paid else { panic!("{:?}", ended.paid) };
    let mut waiting = Arc::into_inner(waiting).expect("the mock is gone").into_inner();
    let woken = waiting.as_mut().expect("no panic").answer(Duration::ZERO).await;
    assert!(Arc::ptr_eq(&woken.expect("woken"), &paid));
}

#[tokio::test(start_paused = true)]
async fn a_payment_in_review_whose_operator_died_goes_back_to_review_untouched() {
    let mut owned = taken_over(|_| {});
    owned.payment = owned.payment.send_to_review().expect("it is under way");
    let story = Story::new().never_charges().never_looks_up().never_voids().never_settles();
    let ended = story.hand_over().of(owned).await;
    assert_eq!(ended.told.hand_overs[0].to, HandOverTo::Review);
}
