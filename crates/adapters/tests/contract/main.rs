//! What the ports promise, kept by every store: one function for each promise, run against a
//! private PostgreSQL schema, a private database behind PgBouncer and a private SQLite file.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a promise that is not kept must fail its test"
)]

mod api_keys;
mod backlog;
mod broken_rows;
mod changed_schema;
mod connections;
mod expiry;
mod fixtures;
mod harness;
mod lane;
mod ledger;
mod left_open;
mod migrations;
mod opaque;
mod open;
mod pooler;
mod queries;
mod recovery;
mod server_settings;
mod settle;
mod sweep;
mod takeover;
mod timeline;
mod transactions;

payonce_testing::promises! {
    by crate::harness::keep, and pooled;
    backlog {
        what_is_settled_is_not_counted,
        what_is_unsettled_is_counted_by_why_with_the_age_of_the_oldest,
        what_could_be_taken_now_is_due_since_its_time,
    }
    api_keys {
        a_key_is_found_as_it_was_kept,
        of_keys_that_begin_alike_the_first_stays,
        a_key_is_revoked_once_and_for_good,
        a_list_has_both_sides_of_one_account_or_everything,
        a_test_key_is_never_kept_for_a_live_account,
    }
    open {
        a_fresh_key_is_owned_by_one_of_50_racing_callers,
        a_fresh_key_is_owned_by_one_of_50_callers_who_ask_for_different_things,
        an_opening_stores_payment_record_and_first_event,
        another_request_is_a_mismatch_that_names_the_fields,
        repeating_an_opening_owns_the_same_payment_again,
        an_opening_that_was_taken_over_is_not_owned_again,
        a_queued_opening_is_pending_and_counts_no_send,
        a_key_of_another_account_or_key_space_is_another_key,
        a_payment_at_another_gateway_is_pending_and_never_owned,
        an_unknown_fingerprint_version_is_never_compared,
        an_opening_that_is_refused_leaves_nothing_behind,
        a_key_that_is_seen_again_is_remembered_as_seen,
    }
    takeover {
        a_dead_lease_is_taken_over_by_one_of_16_racing_callers,
        a_dead_lease_is_taken_over_by_one_of_two_instances,
        taking_over_continues_the_same_payment,
        renewing_keeps_the_lease_and_counts_attempts,
        a_void_is_intended_at_once_and_for_good,
        renewing_under_another_fence_writes_nothing,
        what_is_handed_over_is_pending_for_others,
        who_has_handed_over_owns_nothing_any_more,
        handing_over_under_another_fence_writes_nothing,
        events_keep_their_order_actor_attempt_and_detail,
    }
    timeline {
        a_payment_answered_at_once_has_three_entries_and_no_row_of_their_own,
        what_led_to_the_end_in_several_steps_is_told_step_by_step,
        an_entry_with_more_to_tell_than_its_kind_has_a_row_of_its_own,
        payments_and_timelines_outlive_the_schema_of_a_row_for_each_entry,
    }
    settle {
        settling_stores_final_state_and_answer_together,
        settling_under_another_fence_writes_nothing,
        the_settle_of_whoever_took_over_stands,
        settling_again_returns_the_first_answer,
        of_16_settles_under_one_fence_one_is_stored_and_all_return_it,
        an_answer_is_replayed_byte_for_byte,
        a_settle_and_a_take_over_never_both_win,
        a_final_payment_never_gets_another_end,
        a_settle_that_is_refused_writes_nothing,
        a_settle_that_tells_of_no_end_writes_nothing,
        a_settle_whose_timeline_cannot_be_written_whole_writes_nothing,
        a_settle_needs_no_living_lease_only_the_fence,
    }
    expiry {
        an_expired_key_is_refused_with_its_payment,
        a_reused_key_opens_a_payment_of_the_next_generation,
        an_expired_key_is_reused_by_one_of_16_racing_callers,
        the_owner_of_an_expired_generation_writes_nothing,
        a_reused_key_may_be_queued,
        a_purged_key_is_refused_or_reused_like_an_expired_one,
        no_generation_of_a_key_is_ever_paid_twice,
        what_is_not_settled_never_expires,
        an_answer_tells_how_much_is_left_of_it_by_the_stores_clock,
    }
    recovery {
        a_dead_a_queued_and_an_unknown_payment_are_taken_under_the_next_fence,
        what_somebody_works_on_or_what_is_final_is_not_taken,
        the_oldest_are_taken_first_and_no_more_than_asked_for,
        eight_workers_never_take_the_same_payment,
        another_gateways_payment_is_taken_only_past_the_review_limit,
        who_reaches_no_gateway_gets_only_what_is_past_the_review_limit,
        an_operator_takes_what_is_in_review_and_nothing_else,
        a_payment_in_review_is_left_to_an_operator,
    }
    sweep {
        an_expired_answer_is_dropped_and_its_key_still_refuses,
        a_forgotten_key_never_lets_its_generation_pay_again,
        a_key_that_lost_its_record_while_its_payment_runs_pays_nothing,
        what_is_unsettled_is_never_swept,
        a_sweep_is_bounded_and_goes_on_where_it_stopped,
    }
    ledger {
        a_key_is_charged_once_by_50_racing_callers,
        a_key_is_charged_once_by_two_instances,
        of_a_charge_and_a_void_the_first_stays,
        a_charge_is_kept_as_it_was_entered_first,
        a_burnt_key_is_never_charged,
        a_charge_is_beyond_voiding,
        books_are_read_in_pages_that_hold_every_entry_once,
        books_outlive_the_store_that_wrote_them,
        an_entry_that_no_rule_allows_is_named_and_never_repaired,
        books_out_of_reach_are_unavailable,
    }
    transactions {
        a_transaction_is_new_to_one_of_50_racing_callers,
        of_transactions_announced_at_once_each_is_new_once,
        of_two_contents_that_race_the_first_stays_and_every_conflict_is_counted,
        a_transaction_is_kept_as_it_was_announced_first,
        a_transaction_of_another_account_is_another_transaction,
        what_is_not_due_is_not_taken_and_is_told_of,
        the_oldest_transactions_are_taken_first_and_no_more_than_asked_for,
        eight_workers_never_take_the_same_transaction,
        a_dead_owners_transaction_goes_to_the_next_who_alone_concludes_it,
        an_outcome_is_written_once_and_repeating_it_changes_nothing,
        a_conclusion_and_a_take_over_never_both_win,
        a_failed_transaction_waits_for_its_own_pause,
        a_dead_letter_is_kept_and_listed_until_an_operator_revives_it,
        the_backlog_tells_what_is_due_and_since_when,
        what_was_accepted_outlives_the_store_that_took_it,
        a_queue_holds_no_connection_beyond_a_call,
        a_queue_out_of_reach_is_unavailable,
        a_broken_transaction_is_named_by_its_column,
        the_schema_refuses_what_no_rule_allows,
    }
    queries {
        every_field_of_a_request_is_kept,
        every_currency_keeps_its_minor_units,
        lists_run_newest_first_through_pages_without_gap_or_repeat,
        a_newer_payment_does_not_move_the_next_page,
        each_filter_selects,
        each_status_lists_all_payments_that_are_in_it,
        failures_are_listed_in_order_and_page_by_page_however_they_are_stored,
        what_is_under_way_is_listed_beside_few_and_beside_many,
        a_filter_holds_across_pages,
        a_key_is_found_with_the_time_of_the_store,
        an_unknown_payment_is_not_found,
    }
    broken_rows {
        a_broken_payment_is_named_by_its_column,
        a_broken_record_is_named_by_its_column,
        a_record_without_its_payment_is_named,
        a_broken_event_is_named_by_its_column,
    }
    connections {
        no_connection_is_held_beyond_a_call,
        a_store_out_of_reach_is_unavailable,
        a_closed_store_is_unavailable,
        an_opening_whose_caller_leaves_happens_wholly_or_not_at_all,
        a_settle_whose_caller_leaves_happens_wholly_or_not_at_all,
    }
    lane {
        of_payments_opened_at_once_one_that_cannot_be_stored_fails_alone,
        of_payments_settled_at_once_one_that_cannot_be_stored_fails_alone,
        many_connections_open_settle_and_replay_each_key_as_one_does,
        repeats_and_new_keys_that_come_together_each_get_what_is_theirs,
        looks_that_come_together_each_find_what_is_theirs,
        what_is_not_settled_or_has_expired_is_found_by_no_look,
        writes_that_fail_take_no_answer_from_whoever_looks,
        repeats_are_expected_behind_one_until_new_keys_come,
    }
    migrations {
        a_store_is_ready_only_while_its_schema_is_the_newest,
        migrating_up_again_changes_nothing,
        up_down_and_up_again_leave_a_store_that_works,
        payments_outlive_a_schema_that_knows_nothing_of_open_keys,
        outcomes_of_their_first_form_take_on_the_present_one,
        eight_instances_may_migrate_an_empty_database_at_once,
    }
    opaque {
        an_opaque_operation_is_stored_with_its_answer_and_no_payment,
        an_opaque_answer_is_replayed_byte_for_byte,
        another_opaque_request_is_a_mismatch,
        an_opaque_call_that_is_repeated_as_it_was_is_the_first_again,
        of_16_racing_opaque_calls_one_is_the_first,
        of_16_racing_opaque_calls_that_differ_one_is_stored,
        an_expired_opaque_key_is_refused,
        an_expired_opaque_key_is_reused_by_one_of_16_racing_callers,
        a_payments_key_is_no_opaque_key_and_the_reverse,
        of_payments_and_opaque_calls_that_race_for_a_key_one_wins,
        a_reused_key_may_come_to_stand_for_something_else,
        a_forgotten_key_that_was_opaque_since_never_pays_a_generation_twice,
        an_opaque_key_of_another_account_or_key_space_is_another_key,
        an_opaque_record_of_a_newer_version_is_never_compared,
        an_opaque_store_out_of_reach_is_unavailable,
    }
    left_open {
        what_is_left_open_keeps_its_payment_and_its_time,
        who_has_left_a_payment_open_owns_nothing_any_more,
        leaving_open_under_another_fence_writes_nothing,
        an_open_payment_is_taken_over_by_one_of_16_racing_callers,
        a_client_that_is_back_begins_its_time_anew,
        recoverys_looks_keep_the_time_of_an_open_payment,
        an_open_payment_is_recoverys_only_when_it_is_due,
        a_void_of_an_open_payment_closes_it_to_its_client,
        an_open_payment_is_no_other_requests_and_no_other_gateways,
        a_settled_payment_is_open_no_more,
    }
}
