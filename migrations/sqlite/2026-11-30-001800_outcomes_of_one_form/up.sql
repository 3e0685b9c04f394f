-- The first builds with 001700 made it without a failure's `created_at`, and without the indexes of lists by
-- status. A rule of a table cannot be changed: the table is made anew, whichever form it has.

DROP VIEW payment_states;
DROP VIEW payment_timeline;
DROP INDEX IF EXISTS payment_outcomes_failed;
ALTER TABLE payment_outcomes RENAME TO outcomes_of_either_form;

CREATE TABLE payment_outcomes (
    account_id text NOT NULL,
    payment_id blob NOT NULL,
    status text NOT NULL CHECK (status = 'COMPLETED' OR status = 'FAILED'),
    gateway_reference text,
    failure_code text CHECK (failure_code = 'payment_declined' OR failure_code = 'gateway_error'),
    decline_code text,
    completed_at integer NOT NULL,
    -- When a payment that failed was made: what lists of failures are in the order of.
    created_at integer,
    -- The last row of the timeline, as in payment_events: what proved the end, or the end alone.
    fence integer NOT NULL,
    step integer NOT NULL,
    at integer NOT NULL,
    actor text NOT NULL CHECK (
        actor = 'request' OR actor = 'retry' OR actor = 'recovery' OR actor = 'operator'
    ),
    kind text NOT NULL,
    attempt integer,
    detail text,
    followed_by text,
    -- A payment ends once.
    PRIMARY KEY (payment_id, account_id),
    CHECK (status <> 'COMPLETED' OR gateway_reference IS NOT NULL),
    CHECK ((status = 'FAILED') = (failure_code IS NOT NULL) AND (failure_code IS NULL) = (created_at IS NULL)),
    CHECK (decline_code IS NULL OR failure_code = 'payment_declined')
) STRICT, WITHOUT ROWID;

INSERT INTO payment_outcomes (account_id, payment_id, status, gateway_reference, failure_code, decline_code, completed_at,
    created_at, fence, step, at, actor, kind, attempt, detail, followed_by)
SELECT account_id, payment_id, status, gateway_reference, failure_code, decline_code, completed_at,
    -- A failure whose payment's row is gone has no other time than its own.
    CASE WHEN status = 'FAILED' THEN COALESCE(
        (SELECT payments.created_at FROM payments
            WHERE payments.id = outcome.payment_id AND payments.account_id = outcome.account_id),
        completed_at
    ) END,
    fence, step, at, actor, kind, attempt, detail, followed_by
FROM outcomes_of_either_form AS outcome;
DROP TABLE outcomes_of_either_form;

CREATE INDEX payment_outcomes_failed ON payment_outcomes (account_id, created_at, payment_id) WHERE status = 'FAILED';
CREATE INDEX IF NOT EXISTS payments_apart ON payments (account_id, created_at, id) WHERE status IN ('FAILED', 'NEEDS_REVIEW');

CREATE VIEW payment_states AS
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

CREATE VIEW payment_timeline AS
SELECT account_id, id AS payment_id, opening_fence AS fence, 0 AS step, created_at AS at,
    'request' AS actor, 'created' AS kind, NULL AS attempt, NULL AS detail
FROM payments WHERE opening_fence IS NOT NULL
UNION ALL
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail
FROM payment_events
UNION ALL
SELECT account_id, payment_id, fence, step + 1, at, actor, followed_by, NULL, NULL
FROM payment_events WHERE followed_by IS NOT NULL
UNION ALL
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail
FROM payment_outcomes
UNION ALL
SELECT account_id, payment_id, fence, step + 1, at, actor, followed_by, NULL, NULL
FROM payment_outcomes WHERE followed_by IS NOT NULL;
