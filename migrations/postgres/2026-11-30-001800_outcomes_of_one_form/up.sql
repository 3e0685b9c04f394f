-- The first builds with 001700 made it without a failure's `created_at`, and without the indexes of lists by
-- status. Where such a build migrated, what was missing is made here; elsewhere there is nothing to be done.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'payment_outcomes'::regclass AND attname = 'created_at' AND NOT attisdropped
    ) THEN
        RETURN;
    END IF;

    -- First the view and last the table below it: in the order in which readers and settles lock them.
    CREATE OR REPLACE VIEW payment_states AS
    SELECT payments.account_id, payments.id, payments.key_space, payments.key, payments.generation, payments.operation,
        CASE WHEN outcome.payment_id IS NULL THEN payments.status ELSE outcome.status END AS status,
        payments.amount_minor, payments.currency, payments.payment_method, payments.reference, payments.description,
        payments.metadata, payments.gateway_kind, payments.gateway_base_url, payments.gateway_account,
        payments.gateway_key, payments.gateway_request,
        CASE WHEN outcome.payment_id IS NULL THEN payments.gateway_reference ELSE outcome.gateway_reference END AS gateway_reference,
        payments.attempts, payments.first_sent_at, payments.void_intended_at,
        CASE WHEN outcome.payment_id IS NULL THEN payments.failure_code ELSE outcome.failure_code END AS failure_code,
        CASE WHEN outcome.payment_id IS NULL THEN payments.decline_code ELSE outcome.decline_code END AS decline_code,
        payments.created_at,
        CASE WHEN outcome.payment_id IS NULL THEN payments.completed_at ELSE outcome.completed_at END AS completed_at,
        payments.opening_fence
    FROM payments LEFT JOIN payment_outcomes AS outcome
        ON outcome.payment_id = payments.id AND outcome.account_id = payments.account_id;

    CREATE INDEX payments_apart ON payments (account_id, created_at, id) WHERE status IN ('FAILED', 'NEEDS_REVIEW');

    ALTER TABLE payment_outcomes ADD COLUMN created_at timestamptz;
    -- A failure whose payment's row is gone has no other time than its own.
    UPDATE payment_outcomes AS outcome
    SET created_at = COALESCE(
        (SELECT payments.created_at FROM payments
            WHERE payments.id = outcome.payment_id AND payments.account_id = outcome.account_id),
        completed_at
    )
    WHERE status = 'FAILED';
    ALTER TABLE payment_outcomes DROP CONSTRAINT what_failed_says_why;
    ALTER TABLE payment_outcomes ADD CONSTRAINT what_failed_says_why
        CHECK ((status = 'FAILED') = (failure_code IS NOT NULL) AND (failure_code IS NULL) = (created_at IS NULL));
    CREATE INDEX payment_outcomes_failed ON payment_outcomes (account_id, created_at, payment_id) WHERE status = 'FAILED';

    DROP TYPE payment_settlement;
    CREATE TYPE payment_settlement AS (
        account_id text,
        key_space text,
        key text,
        payment_id uuid,
        request_id text,
        owner bigint,
        answer_status smallint,
        answer_content_type text,
        answer_location text,
        answer_body bytea,
        expires_at interval,
        status text,
        gateway_reference text,
        failure_code text,
        decline_code text,
        completed_at timestamptz,
        created_at timestamptz,
        fence bigint,
        step integer,
        actor text,
        kind text,
        attempt integer,
        detail text,
        followed_by text
    );
END $$;
