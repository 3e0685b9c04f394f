//! What the contract promises to clients, kept over real connections and on each store: one
//! function for each promise, run against a private PostgreSQL schema and a private SQLite file.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a promise that is not kept must fail its test"
)]

mod accepted;
mod accounts;
mod answer;
mod api_keys;
mod app;
mod auth;
mod auth_accounts;
mod bad_input;
mod big_bodies;
mod canaries;
mod card_numbers;
mod cli;
mod concurrency;
mod disconnect;
mod drain;
mod elsewhere;
mod expiry;
mod fuse;
mod gateway_outcomes;
mod health;
mod health_command;
mod hidden;
mod key_spaces;
mod keys;
mod lists;
mod metrics;
mod opaque;
mod openapi;
mod orders;
mod pay;
mod payments;
mod processing;
mod production;
mod rate_limit;
mod redis_faults;
mod replay_cache;
mod restart;
mod sealed;
mod sealed_log;
mod signed_webhooks;
mod store_failures;
mod tls;
mod webhooks;
mod wire;

payonce_testing::promises! {
    by crate::app::keep, and pooled;
    payments {
        the_documented_example_is_answered_word_for_word,
        a_sane_request_id_is_echoed_and_any_other_is_replaced,
        a_replay_has_the_same_bytes_and_a_request_id_of_its_own,
        a_path_answers_with_and_without_its_trailing_slash,
        each_path_of_the_operation_is_the_same_operation,
        every_spelling_of_a_request_is_the_same_request,
        what_is_read_back_equals_the_answer,
        each_currency_shows_its_own_decimals,
        the_default_currency_is_the_operators,
        every_field_of_a_request_is_kept,
        an_equal_request_under_another_key_is_a_second_payment,
        another_request_under_a_known_key_is_refused,
        a_refused_request_is_good_under_a_key_of_its_own,
    }
    keys {
        a_key_that_breaks_the_rules_is_refused,
        a_key_has_up_to_255_characters,
        a_key_with_a_control_character_is_refused,
        a_request_without_a_key_is_refused,
        a_repeated_key_header_is_refused,
        the_key_header_has_any_case,
        a_bare_and_a_quoted_key_are_one_key,
        a_key_is_case_sensitive,
        a_key_on_a_request_that_only_reads_is_ignored,
        a_key_shows_what_is_known_of_it,
        every_key_can_be_looked_up,
        checks_run_in_the_documented_order,
    }
    bad_input {
        a_body_that_is_no_json_object_is_refused,
        an_amount_that_cannot_be_paid_is_named,
        a_field_that_breaks_a_rule_is_named,
        every_bad_field_is_named_at_once,
        a_crowd_of_unknown_fields_is_refused_in_few_words,
        only_plain_json_is_read,
        a_path_that_there_is_none_of_is_not_found,
        a_method_that_a_path_does_not_have_is_answered_by_those_it_has,
        what_is_no_http_is_refused,
        too_many_and_too_large_headers_are_refused,
    }
    big_bodies {
        a_body_of_the_limit_is_read_and_a_byte_more_is_refused,
        a_length_over_the_limit_is_refused_before_the_body_is_sent,
        ten_megabytes_are_refused_while_they_are_sent,
        chunks_over_the_limit_are_refused,
        a_stalled_body_is_refused_in_time,
        a_body_that_trickles_is_refused_in_time,
        a_request_that_ends_too_early_executes_nothing,
        a_connection_whose_body_never_ends_is_closed,
    }
    concurrency {
        fifty_requests_with_one_fresh_key_pay_once,
        of_fifty_requests_for_two_amounts_those_for_one_are_paid,
        fifty_requests_at_two_instances_pay_once,
        many_keys_at_once_do_not_disturb_each_other,
        requests_in_one_breath_on_one_connection_pay_once,
        a_duplicate_that_does_not_wait_is_told_at_once,
        a_duplicate_waits_as_long_as_it_is_let,
        a_duplicate_gets_the_answer_that_another_instance_stores,
        another_request_is_refused_while_the_first_runs,
        a_hundred_waiters_delay_nobody_else,
        no_more_wait_than_there_are_places,
    }
    disconnect {
        a_payment_goes_on_when_its_client_resets_the_connection,
        a_payment_goes_on_when_its_client_closes_the_connection,
        a_crowd_that_goes_away_leaves_one_payment,
        who_waits_and_goes_away_gives_the_place_back,
        a_request_that_takes_too_long_is_told_so_and_goes_on,
    }
    lists {
        a_time_at_the_end_of_the_calendar_is_no_fault,
        a_forged_cursor_is_no_fault_of_the_service,
        an_empty_list_has_the_documented_form,
        pages_run_from_the_newest_to_the_oldest,
        each_filter_selects,
        every_bad_parameter_is_named,
        a_far_time_selects_all_or_nothing,
        other_payments_are_not_found,
        a_payment_tells_its_history,
    }
    gateway_outcomes {
        an_approved_charge_is_the_payments,
        a_decline_is_stored_and_replayed,
        a_failure_is_stored_and_replayed_and_its_key_is_burnt,
        replays_need_no_gateway,
        a_failed_payment_is_tried_anew_under_another_key,
        each_way_of_breaking_ends_in_what_the_books_show,
        an_unreliable_gateway_charges_what_is_completed_and_nothing_else,
        an_unknown_outcome_is_pending_and_never_final,
    }
    webhooks {
        the_documented_webhook_is_answered_word_for_word,
        a_duplicate_is_accepted_and_changes_nothing,
        other_contents_are_accepted_and_recorded_and_the_first_stay,
        duplicates_that_race_at_two_instances_are_one_transaction,
        an_amount_stays_exact,
        every_id_can_be_looked_up,
        a_transaction_that_there_is_none_of_is_not_found,
        a_webhook_that_breaks_a_rule_is_refused_by_its_field,
        a_webhook_that_is_no_object_is_refused,
        what_cannot_be_stored_is_never_accepted,
    }
    signed_webhooks {
        a_signed_webhook_is_accepted_under_each_active_secret,
        a_webhook_that_proves_nothing_is_refused_before_it_is_read,
        a_signature_is_good_for_five_minutes_either_way,
    }
    processing {
        a_processed_transaction_says_so_and_stays_so,
        a_transaction_is_not_processed_before_its_time,
        eight_workers_at_two_instances_call_once_for_each_transaction,
        nothing_is_held_while_transactions_are_worked_on,
        what_fails_at_every_attempt_is_kept_for_an_operator,
    }
    accounts {
        another_accounts_key_is_another_key,
        what_is_another_accounts_is_not_there,
        a_key_belongs_to_the_account_and_not_to_the_credential,
    }
    auth {
        whoever_brings_no_good_key_is_told_the_same,
        what_proves_itself_otherwise_needs_no_key,
        metrics_want_their_own_token,
        a_key_that_only_reads_changes_nothing,
        a_revoked_key_is_refused_by_every_instance,
        a_test_key_never_reaches_a_live_gateway,
        each_account_has_a_limit_of_its_own,
        while_keys_cannot_be_looked_up_nobody_is_let_in,
        the_document_says_what_needs_a_key,
    }
    auth_accounts {
        one_key_in_each_account_is_a_payment_in_each,
        what_is_another_keys_account_is_not_there,
        a_cursor_of_another_account_shows_nothing_of_it,
    }
    api_keys {
        a_key_is_made_listed_and_revoked_by_command,
        a_wrong_word_about_keys_is_named,
    }
    production {
        a_database_that_may_lose_commits_is_refused,
    }
    tls {
        a_listener_with_a_certificate_speaks_tls_and_nothing_else,
    }
    card_numbers {
        a_card_number_is_refused_wherever_a_client_writes_freely,
        a_card_number_in_an_opaque_payload_is_refused,
        an_id_is_never_taken_for_a_card_number,
        a_refused_card_number_is_neither_stored_nor_logged,
    }
    health_command {
        a_service_is_healthy_while_it_takes_requests,
        what_is_not_healthy_is_told_why,
        the_tree_of_the_image_holds_a_service_that_serves,
    }
    canaries {
        no_secret_shows_in_logs_metrics_errors_or_the_database,
    }
    accepted {
        an_accepted_payment_is_pending_and_nobody_has_paid_it,
        a_duplicate_of_an_accepted_payment_gets_its_state,
        a_stored_answer_is_replayed_whatever_is_preferred,
    }
    store_failures {
        a_failure_while_opening_stores_nothing_and_leaves_the_key_free,
        a_store_out_of_reach_while_serving_is_reported_and_comes_back,
        a_failure_while_settling_leaves_the_payment_to_recovery,
        a_payment_whose_answer_cannot_be_stored_is_not_settled,
    }
    health {
        the_root_tells_the_time_and_needs_no_database,
        a_service_that_is_not_ready_says_so_in_the_form_of_each_route,
        a_service_without_its_database_lives_and_is_not_ready,
        a_service_opens_once_its_database_is_there,
        a_service_waits_for_the_migrations_of_somebody_else,
        a_service_that_is_ready_says_so,
    }
    drain {
        a_payment_under_way_ends_and_nothing_new_begins,
        a_payment_whose_client_is_gone_ends_before_the_service_does,
        a_drain_ends_in_its_time,
        a_service_that_was_never_ready_stops_at_once,
    }
    restart {
        a_replay_outlives_the_service,
        a_dead_owner_is_replaced_by_a_retry,
        a_dead_owner_that_comes_back_changes_nothing,
        a_crowd_replaces_a_dead_owner_once,
    }
    cli {
        a_killed_service_is_replaced_by_another,
        a_service_drains_and_exits_at_sigterm,
        logs_hold_no_keys_and_nothing_of_a_body,
        a_payment_is_said_to_be_processed_once_whoever_ends_it,
        migrations_run_up_and_down,
        a_database_out_of_reach_is_named_without_its_password,
    }
    metrics {
        metrics_are_explained_and_begin_at_zero,
        announced_transactions_are_counted_by_what_became_of_them,
        a_request_is_counted_by_what_became_of_it,
        a_duplicate_shows_while_it_waits_and_when_it_gives_up,
        a_failing_gateway_shows_in_retries_and_failed_requests,
        an_unknown_outcome_shows_with_its_age,
        labels_stay_few_whatever_is_asked,
        metrics_are_there_before_the_database_is,
        a_request_whose_client_is_gone_is_counted,
    }
    openapi {
        the_document_is_served_as_it_describes_itself,
        whoever_asks_too_often_is_told_so_as_the_document_says,
        the_page_needs_nothing_but_the_service,
        a_text_has_as_many_characters_as_the_document_says,
    }
    rate_limit {
        a_client_over_its_limit_is_told_when_to_come_again,
        a_refused_request_uses_up_no_key,
        every_counted_answer_tells_what_is_left,
        probes_and_other_services_are_not_counted,
        each_address_has_a_limit_of_its_own,
        nobody_is_refused_where_no_limit_is_set,
        a_refusal_comes_before_everything_that_it_would_cost,
        a_refused_connection_lasts_unless_its_body_never_ends,
        instances_share_a_limit_through_redis,
        instances_without_redis_count_for_themselves,
    }
    redis_faults {
        a_redis_that_is_stopped_changes_no_answer,
        a_redis_that_is_paused_changes_no_answer,
        a_redis_that_is_slow_changes_no_answer,
        a_redis_that_falls_silent_when_it_is_used_changes_no_answer,
        a_redis_that_is_flushed_changes_no_answer,
        a_redis_full_of_garbage_changes_no_answer,
        a_service_starts_without_its_redis,
        what_is_no_redis_is_done_without,
        a_limit_holds_while_redis_is_away,
    }
    replay_cache {
        a_stored_answer_is_replayed_while_the_database_is_away,
        what_the_database_replayed_once_is_at_hand_from_then_on,
        another_request_under_a_key_at_hand_is_refused,
        an_answer_at_hand_is_not_replayed_once_it_has_expired,
        a_reused_key_is_never_answered_by_what_it_was_before,
        an_answer_of_one_instance_is_at_hand_at_another_through_redis,
        garbage_in_redis_answers_nobody,
    }
    expiry {
        an_expired_key_is_refused_and_nothing_is_executed,
        an_expired_key_names_a_new_request_where_the_operator_says_so,
        a_key_whose_payment_is_not_final_never_expires,
    }
    opaque {
        the_opaque_example_is_answered_word_for_word_and_replayed,
        a_payload_comes_back_as_it_was_sent,
        a_key_in_a_body_has_1_to_255_printable_characters,
        a_field_of_an_opaque_request_that_breaks_a_rule_is_named,
        what_cannot_be_read_is_refused_in_the_opaque_form,
        other_data_under_a_known_key_is_refused,
        of_fifty_opaque_requests_at_once_one_is_stored,
        an_expired_opaque_key_is_refused_in_the_documented_words,
        an_expired_opaque_key_is_overwritten_where_the_operator_says_so,
        an_opaque_key_that_is_not_expired_is_never_overwritten,
        an_opaque_key_shows_its_state_and_no_payment,
        an_expired_key_changes_hands_between_formats_only_where_it_is_reused,
        a_record_of_a_newer_version_is_left_alone_for_now,
    }
    pay {
        the_pay_example_is_answered_word_for_word_and_replayed,
        the_slash_at_the_end_of_pay_makes_no_other_payment,
        a_field_of_a_pay_request_that_breaks_a_rule_is_named,
        what_cannot_be_read_is_refused_in_the_pay_form,
        another_pay_request_under_a_known_key_is_refused,
        fifty_pay_requests_with_one_fresh_key_pay_once,
        a_pay_request_whose_key_is_in_use_is_told_so,
        a_declined_pay_request_is_final_and_replayed,
        a_key_whose_attempts_failed_stays_open_until_it_is_paid,
        an_open_key_is_no_other_requests,
        of_16_racing_retries_of_an_open_key_one_pays,
        a_crowd_at_a_failing_gateway_leaves_one_open_payment,
        a_client_that_repeats_until_it_is_paid_is_charged_once,
        an_expired_pay_key_is_refused_and_nothing_is_executed,
        while_a_void_or_a_review_is_pending_a_repeat_is_a_conflict,
        a_pay_request_goes_on_when_its_client_goes_away,
    }
    orders {
        the_order_example_is_answered_word_for_word_and_replayed,
        every_order_id_can_be_reported,
        a_field_of_an_order_that_breaks_a_rule_is_named,
        what_cannot_be_read_is_refused_in_the_form_of_orders,
        an_unknown_order_is_not_found,
        another_amount_for_a_known_order_is_refused,
        fifty_requests_for_one_order_pay_once,
        an_order_in_use_is_told_so_and_then_answered,
        a_declined_order_is_final_and_replayed,
        a_failed_order_is_final_and_replayed,
        an_order_of_unknown_outcome_is_pending_and_never_final,
        an_order_never_expires_whatever_the_operator_says,
    }
    key_spaces {
        a_settled_key_is_no_key_of_another_format,
        an_unsettled_key_is_no_key_of_another_format,
        of_one_key_in_all_formats_at_once_one_format_wins,
        an_order_and_a_key_of_one_spelling_do_not_meet,
    }
}
