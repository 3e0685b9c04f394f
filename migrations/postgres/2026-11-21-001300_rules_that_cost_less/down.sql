ALTER TABLE idempotency_records
    DROP CONSTRAINT fences_grow,
    DROP CONSTRAINT what_is_unsettled_is_due,
    DROP CONSTRAINT what_is_settled_says_when,
    DROP CONSTRAINT what_is_settled_expires,
    DROP CONSTRAINT what_is_settled_has_an_answer,
    DROP CONSTRAINT an_answer_has_a_content_type,
    DROP CONSTRAINT an_answer_has_a_body,
    DROP CONSTRAINT a_location_is_an_answers,
    DROP CONSTRAINT what_is_open_ends,
    DROP CONSTRAINT idempotency_records_pkey,
    ADD PRIMARY KEY (account_id, key_space, key),
    ADD CHECK (opening_fence BETWEEN 1 AND fence),
    ADD CHECK ((state IN ('running', 'open', 'queued', 'unknown')) = (due_at IS NOT NULL)),
    ADD CHECK ((state IN ('settled', 'purged')) = (expires_at IS NOT NULL)),
    ADD CHECK ((state IN ('settled', 'purged')) = (settled_at IS NOT NULL)),
    ADD CHECK ((state = 'settled') = (answer_status IS NOT NULL)),
    ADD CHECK ((state = 'settled') = (answer_content_type IS NOT NULL)),
    ADD CHECK ((state = 'settled') = (answer_body IS NOT NULL)),
    ADD CHECK (answer_location IS NULL OR state = 'settled'),
    ADD CHECK (state <> 'open' OR open_until IS NOT NULL);

ALTER TABLE payments
    DROP CONSTRAINT what_was_attempted_was_sent,
    DROP CONSTRAINT what_is_final_says_when,
    DROP CONSTRAINT what_failed_says_why,
    DROP CONSTRAINT what_is_paid_names_its_charge,
    DROP CONSTRAINT a_decline_is_a_failure,
    DROP CONSTRAINT payments_pkey,
    ADD PRIMARY KEY (account_id, id),
    DROP CONSTRAINT payments_one_for_each_generation,
    ADD CONSTRAINT payments_one_for_each_generation
        UNIQUE (account_id, key_space, key, generation),
    ADD CHECK ((attempts = 0) = (first_sent_at IS NULL)),
    ADD CHECK ((status IN ('COMPLETED', 'FAILED')) = (completed_at IS NOT NULL)),
    ADD CHECK ((status = 'FAILED') = (failure_code IS NOT NULL)),
    ADD CHECK (status <> 'COMPLETED' OR gateway_reference IS NOT NULL),
    ADD CHECK (decline_code IS NULL OR failure_code = 'payment_declined');

ALTER TABLE payment_events
    DROP CONSTRAINT payment_events_pkey,
    ADD PRIMARY KEY (account_id, payment_id, fence, step);
