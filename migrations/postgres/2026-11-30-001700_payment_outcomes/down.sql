CREATE TYPE payment_to_insert AS (
    account_id text,
    id uuid,
    key_space text,
    key text,
    generation integer,
    operation text,
    status text,
    amount_minor bigint,
    currency text,
    payment_method text,
    reference text,
    description text,
    metadata jsonb,
    gateway_kind text,
    gateway_base_url text,
    gateway_account text,
    gateway_key uuid,
    gateway_request bytea,
    attempts integer,
    first_sent_at interval,
    created_at interval
);

CREATE TYPE event_to_insert AS (
    account_id text,
    payment_id uuid,
    fence bigint,
    step integer,
    actor text,
    kind text,
    attempt integer,
    detail text,
    at interval
);

DROP TYPE payment_opening, payment_settlement;

-- What is settled from here on fails, and is settled as it was before once this has been undone.
LOCK TABLE payment_outcomes IN ACCESS EXCLUSIVE MODE;

-- The payment's own row tells its end again, and so does a row of its timeline.
UPDATE payments
SET status = outcome.status, gateway_reference = outcome.gateway_reference, failure_code = outcome.failure_code,
    decline_code = outcome.decline_code, completed_at = outcome.completed_at
FROM payment_outcomes AS outcome
WHERE payments.id = outcome.payment_id AND payments.account_id = outcome.account_id;

INSERT INTO payment_events (account_id, payment_id, fence, step, at, actor, kind, attempt, detail, followed_by)
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail, followed_by
FROM payment_outcomes
ON CONFLICT DO NOTHING;

DROP VIEW payment_states;

CREATE OR REPLACE VIEW payment_timeline AS
SELECT account_id, id AS payment_id, opening_fence AS fence, 0 AS step, created_at AS at,
    'request'::text AS actor, 'created'::text AS kind, NULL::integer AS attempt, NULL::text AS detail
FROM payments WHERE opening_fence IS NOT NULL
UNION ALL
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail
FROM payment_events
UNION ALL
SELECT account_id, payment_id, fence, step + 1, at, actor, followed_by, NULL, NULL
FROM payment_events WHERE followed_by IS NOT NULL;

DROP TABLE payment_outcomes;
DROP INDEX IF EXISTS payments_apart;
ALTER TABLE payments SET (fillfactor = 45);
