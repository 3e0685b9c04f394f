//! Two services: one pays, the other is its gateway. One function for each promise, run with the
//! payer's database on PostgreSQL, alone and behind a pooler, and on SQLite.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod circuit;
mod collector;
mod instances;
mod left_open;
mod line;
mod metrics;
mod modes;
mod orders;
mod payments;
mod protocol;
mod recovery;
mod reviews;
mod services;
mod start;
mod traces;
mod wiretap;

payonce_testing::promises! {
    by crate::services::keep, and pooled;
    payments {
        payments_succeed_once_each,
        a_gateway_that_is_not_there_leaves_a_payment_to_recovery,
        the_books_outlive_the_gateway,
    }
    modes {
        charge_then_timeout_is_found_by_look_up,
        charge_then_reset_is_found_by_look_up,
        error_after_charge_is_found_by_look_up,
        malformed_is_found_by_look_up,
        wrong_amount_is_found_by_look_up,
        fail_before_is_voided,
        not_executed_429_is_voided_after_the_pauses_that_it_asked_for,
        decline_is_final,
        slow_is_never_called_failed_and_completed_by_recovery,
    }
    circuit {
        a_gateway_that_refuses_connections_is_not_called_for_fresh_keys,
        a_gateway_that_never_answers_is_not_called_for_fresh_keys,
    }
    recovery {
        an_unknown_outcome_is_settled_by_a_worker_and_then_replayed,
        a_charge_that_could_not_be_written_down_is_found_by_a_worker,
        an_accepted_payment_is_paid_later_and_its_key_then_replays,
        a_forgotten_key_opens_a_payment_of_its_own,
    }
    reviews {
        what_stays_unknown_needs_review_until_an_operator_settles_it,
        what_was_charged_is_completed_by_an_operator,
        what_was_not_charged_is_failed_by_an_operator_who_voids_it,
    }
    instances {
        a_duplicate_at_another_instance_waits_and_gets_the_same_bytes,
        a_killed_instances_payment_is_answered_by_another_with_one_charge,
        a_killed_instances_payment_is_finished_although_nobody_asks_again,
        an_instance_paused_for_twice_its_lease_changes_nothing,
    }
}
