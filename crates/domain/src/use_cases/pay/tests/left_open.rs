//! What is left for a client's next try, until when, and what recovery makes of it.

use super::*;
use crate::gateway::Charge;
use crate::payment::{FailurePolicy, Operation};

const SECOND: Duration = Duration::from_secs(1);

fn unreachable() -> ChargeOutcome {
    ChargeOutcome::Unreachable { reason: "refused".to_owned() }
}

/// What the owner of a payment of that operation has.
fn owned(by: OwnedBy, operation: Operation) -> Owned {
    let mut owned = fixtures::owned(by);
    owned.payment.request.operation = operation;
    owned
}

/// What recovery gets of a payment that is left open for so long yet.
fn left_open_for(operation: Operation, left: Duration) -> Owned {
    let mut owned = owned(OwnedBy::Recovery, operation);
    owned.open_until = Some(owned.now + left);
    owned
}

/// Attempts of these outcomes.
fn attempts(outcomes: [ChargeOutcome; 3]) -> Story {
    let [first, second, third] = outcomes;
    Story::new().charge(first).renew().charge(second).renew().charge(third)
}

fn is_left_open(ended: &Ended) -> HandOverTo {
    assert!(matches!(ended.paid, Paid::LeftOpen(_)), "{:?}", ended.paid);
    assert_eq!(ended.told.kinds().last(), Some(&"left_open"));
    assert_eq!(ended.told.hand_overs.len(), 1);
    ended.told.hand_overs[0].to
}

fn is_handed_over(ended: &Ended) {
    assert!(ended.unfinished().1.is_none());
    assert_eq!(ended.told.kinds().last(), Some(&"handed_over"));
    let to = ended.told.hand_overs[0].to;
    assert!(matches!(to, HandOverTo::Recovery(_)), "{to:?}");
}

#[test]
fn each_operation_says_what_becomes_of_it_when_every_attempt_failed() {
    for (operation, policy) in [
        (Operation::CreatePayment, FailurePolicy::Void),
        (Operation::StartPayment, FailurePolicy::OpenIfUnreachable),
        (Operation::Pay, FailurePolicy::Open),
    ] {
        assert_eq!(operation.failure_policy(), policy, "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pay_payment_is_left_open_however_its_attempts_failed() {
    let ways: [fn() -> ChargeOutcome; 3] = [unknown, unreachable, || not_executed(None)];
    for way in ways {
        for by in [OwnedBy::Opening, OwnedBy::TakeOver] {
            let story = match by {
                OwnedBy::Opening => attempts([way(), way(), way()]),
                _ => {
                    let story = Story::new().look_up(not_found()).renew().charge(way());
                    story.renew().charge(way()).renew().charge(way())
                }
            };
            let story = story.look_up(not_found()).hand_over().never_voids().never_settles();
            let ended = story.of(owned(by, Operation::Pay)).await;
            let (due_in, open_for) = (TERMS.recovery.first_delay, TERMS.open_for);
            assert_eq!(is_left_open(&ended), HandOverTo::Client { due_in, open_for });
            let Paid::LeftOpen(payment) = &ended.paid else { panic!("{:?}", ended.paid) };
            assert_eq!(
                (payment.status(), payment.void_intended_at),
                (PaymentStatus::Processing, None)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pay_payment_that_the_gateway_shows_after_all_is_not_left_open() {
    let story = attempts([unknown(), unknown(), unknown()]);
    let story = story.look_up(LookUpOutcome::Approved(charged())).settle().never_voids();
    let ended = story.of(owned(OwnedBy::Opening, Operation::Pay)).await;
    assert!(ended.is_completed());
}

#[tokio::test(start_paused = true)]
async fn an_order_is_left_open_only_where_no_send_got_through() {
    let outcomes = [unreachable(), unreachable(), unreachable()];
    let story = attempts(outcomes).look_up(not_found()).hand_over().never_voids();
    let ended = story.of(owned(OwnedBy::Opening, Operation::StartPayment)).await;
    is_left_open(&ended);

    for outcomes in [
        [unknown(), unreachable(), unreachable()],
        [unreachable(), unknown(), unreachable()],
        [unreachable(), unreachable(), unknown()],
        [unreachable(), not_executed(None), unreachable()],
        [unknown(), unknown(), unknown()],
    ] {
        let story = attempts(outcomes).look_up(not_found()).renew().void(VoidOutcome::Voided);
        let ended = story.settle().of(owned(OwnedBy::Opening, Operation::StartPayment)).await;
        assert_eq!(*ended.failure(), Failure::GatewayError);
        assert!(ended.told.renewals.last().is_some_and(|renewal| renewal.void_intended));
    }
}

#[tokio::test(start_paused = true)]
async fn a_canonical_payment_is_never_left_open() {
    let outcomes = [unreachable(), unreachable(), unreachable()];
    let story = attempts(outcomes).look_up(not_found()).renew().void(VoidOutcome::Voided);
    let ended = story.settle().of(owned(OwnedBy::Opening, Operation::CreatePayment)).await;
    assert_eq!(*ended.failure(), Failure::GatewayError);
}

#[tokio::test(start_paused = true)]
async fn recovery_only_looks_at_what_is_left_open_and_leaves_it_open_again() {
    for operation in [Operation::Pay, Operation::StartPayment] {
        // As long as it is old, and at the latest when the time is over.
        for (left, due_in) in [(60 * SECOND, 10 * SECOND), (3 * SECOND, 3 * SECOND)] {
            let story = Story::new().look_up(not_found()).hand_over();
            let story = story.never_charges().never_voids().never_renews().never_settles();
            let mut old = left_open_for(operation, left);
            old.payment.created_at = old.now - 10 * SECOND;
            let ended = story.of(old).await;
            let open_for = TERMS.open_for;
            assert_eq!(is_left_open(&ended), HandOverTo::Client { due_in, open_for });
            assert_eq!(ended.told.kinds(), ["look_up", "left_open"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn recovery_settles_what_it_finds_of_a_payment_that_is_left_open() {
    let found = [
        (LookUpOutcome::Approved(charged()), PaymentStatus::Completed),
        (LookUpOutcome::Declined(decline()), PaymentStatus::Failed),
        (LookUpOutcome::Voided, PaymentStatus::Failed),
    ];
    for (found, status) in found {
        let story = Story::new().look_up(found).settle().never_charges().never_voids();
        let ended = story.never_renews().of(left_open_for(Operation::Pay, 60 * SECOND)).await;
        ended.settled();
        assert_eq!(ended.told.settles[0].payment.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_open_too_long_is_voided_and_never_sent_again() {
    for operation in [Operation::Pay, Operation::StartPayment] {
        let story = Story::new().look_up(not_found()).renew().void(VoidOutcome::Voided);
        let story = story.settle().never_charges();
        let ended = story.of(left_open_for(operation, Duration::ZERO)).await;
        assert_eq!(*ended.failure(), Failure::GatewayError);
        assert!(ended.told.renewals[0].void_intended);
        assert_eq!(ended.told.kinds(), ["look_up", "void_intended", "void", "failed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_charged_before_the_void_of_an_open_payment_is_completed() {
    let charge = Charge { reference: "ch_1".to_owned() };
    let story = Story::new().look_up(not_found()).renew().void(VoidOutcome::Settled(charge));
    let ended = story.settle().never_charges();
    let ended = ended.of(left_open_for(Operation::Pay, Duration::ZERO)).await;
    assert!(ended.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_void_that_is_not_confirmed_is_recoverys_and_no_more_its_clients() {
    let story = Story::new().look_up(not_found());
    let story = story.renew().void(no_void()).renew().void(no_void()).renew().void(no_void());
    let ended = story.hand_over().never_charges().never_settles();
    let ended = ended.of(left_open_for(Operation::Pay, Duration::ZERO)).await;
    is_handed_over(&ended);

    // Whatever time is left: its door is shut.
    for by in [OwnedBy::Recovery, OwnedBy::TakeOver] {
        let mut next = left_open_for(Operation::Pay, 60 * SECOND);
        (next.by, next.payment.void_intended_at) = (by, Some(next.now));
        let story = Story::new().renew().void(no_void()).renew().void(no_void()).renew();
        let story = story.void(no_void()).hand_over().never_charges().never_looks_up();
        is_handed_over(&story.of(next).await);
    }

    // The next owner repeats the void.
    let mut next = left_open_for(Operation::Pay, 60 * SECOND);
    next.payment.void_intended_at = Some(next.now);
    let story = Story::new().renew().void(VoidOutcome::Voided).settle();
    let ended = story.never_charges().never_looks_up().of(next).await;
    assert_eq!(*ended.failure(), Failure::GatewayError);
}

/// So long before the end of the window the key of what nobody repeats is burnt.
const MARGIN: Duration = LEASE.saturating_mul(2);

/// An open payment with time left, whose deduplication window ends so soon.
fn with_window_left(left: Duration) -> Owned {
    let mut owned = left_open_for(Operation::Pay, TERMS.open_for);
    owned.payment.first_sent_at = Some(owned.now - TERMS.dedupe_window + left);
    owned
}

#[tokio::test(start_paused = true)]
async fn an_open_payment_is_voided_before_the_gateway_forgets_its_key() {
    for left in [MARGIN, SECOND] {
        let story = Story::new().look_up(not_found()).renew().void(VoidOutcome::Voided);
        let ended = story.settle().never_charges().of(with_window_left(left)).await;
        assert_eq!(*ended.failure(), Failure::GatewayError, "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_payment_is_looked_at_again_in_time_for_its_void() {
    let story = Story::new().look_up(not_found()).hand_over().never_charges().never_voids();
    let ended = story.of(with_window_left(MARGIN + 2 * SECOND)).await;
    let (due_in, open_for) = (2 * SECOND, TERMS.open_for);
    assert_eq!(is_left_open(&ended), HandOverTo::Client { due_in, open_for });
}

#[tokio::test(start_paused = true)]
async fn a_clients_attempts_that_fail_near_the_end_of_the_window_are_voided() {
    let mut retried = owned(OwnedBy::TakeOver, Operation::Pay);
    retried.payment.first_sent_at = Some(retried.now - TERMS.dedupe_window + MARGIN);
    let story = Story::new().look_up(not_found());
    let story = story.renew().charge(unknown()).renew().charge(unknown()).renew();
    let story = story.charge(unknown()).look_up(not_found()).renew().void(VoidOutcome::Voided);
    let ended = story.settle().of(retried).await;
    assert_eq!(*ended.failure(), Failure::GatewayError);
}

#[tokio::test(start_paused = true)]
async fn outside_the_window_an_open_payment_is_only_looked_up() {
    for left_open in [true, false] {
        let mut late = with_window_left(Duration::ZERO);
        if !left_open {
            (late.by, late.open_until) = (OwnedBy::TakeOver, None);
        }
        let story = Story::new().look_up(not_found()).hand_over();
        let ended = story.never_charges().never_voids().never_renews().of(late).await;
        is_handed_over(&ended);
    }
}

#[tokio::test(start_paused = true)]
async fn while_nothing_gets_through_a_client_is_left_its_payment() {
    for operation in [Operation::Pay, Operation::StartPayment] {
        let away = || Story { is_gateway_away: true, ..Story::new() };
        let story = away().charge(unreachable()).hand_over().never_looks_up().never_voids();
        let ended = story.never_renews().of(owned(OwnedBy::Opening, operation)).await;
        is_left_open(&ended);

        let story = away().look_up(not_found()).renew().charge(unreachable()).hand_over();
        let ended = story.never_voids().of(owned(OwnedBy::TakeOver, operation)).await;
        is_left_open(&ended);
    }
}

#[tokio::test(start_paused = true)]
async fn another_gateways_payment_is_not_left_open_here() {
    let mut elsewhere = left_open_for(Operation::Pay, 60 * SECOND);
    elsewhere.payment.gateway.kind = "another".into();
    let story = Story::new().never_charges().never_looks_up().never_voids().never_renews();
    let ended = story.hand_over().of(elsewhere).await;
    is_handed_over(&ended);
}

#[tokio::test(start_paused = true)]
async fn an_open_payment_past_the_review_limit_goes_to_an_operator() {
    let mut old = left_open_for(Operation::Pay, 60 * SECOND);
    old.payment.created_at = old.now - TERMS.recovery.review_after;
    let story = Story::new().look_up(not_found()).hand_over().never_charges().never_voids();
    let ended = story.of(old).await;
    assert_eq!(ended.told.hand_overs[0].to, HandOverTo::Review);
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_fence_leaves_nothing_open() {
    let story = attempts([unknown(), unknown(), unknown()]).look_up(not_found());
    let story = story.hand_over_with(|| Ok(Renewed::FenceLost)).never_voids();
    let ended = story.of(owned(OwnedBy::Opening, Operation::Pay)).await;
    assert!(matches!(ended.paid, Paid::FenceLost), "{:?}", ended.paid);
}
