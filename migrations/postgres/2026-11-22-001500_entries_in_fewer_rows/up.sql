-- A payment that is answered at once writes one row of its timeline, not three. That it was created is
-- what `payments` says, and what became of it is told by the row of the attempt that proved it. The
-- timeline itself, an entry for each, is a view.

-- The owner that opened it. Without it there is a row of its own for the timeline's first entry.
ALTER TABLE payments ADD COLUMN opening_fence bigint;

-- What happened next, in the same transaction, where there is nothing else to say of it: the next step.
ALTER TABLE payment_events ADD COLUMN followed_by text;

CREATE VIEW payment_timeline AS
SELECT account_id, id AS payment_id, opening_fence AS fence, 0 AS step, created_at AS at,
    'request'::text AS actor, 'created'::text AS kind, NULL::integer AS attempt, NULL::text AS detail
FROM payments WHERE opening_fence IS NOT NULL
UNION ALL
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail
FROM payment_events
UNION ALL
SELECT account_id, payment_id, fence, step + 1, at, actor, followed_by, NULL, NULL
FROM payment_events WHERE followed_by IS NOT NULL;

-- In the place of `payment_to_insert` and `event_to_insert`, which instances of the version before use.
CREATE TYPE payment_to_open AS (
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
    opening_fence bigint,
    first_sent_at interval,
    created_at interval
);

CREATE TYPE event_to_append AS (
    account_id text,
    payment_id uuid,
    fence bigint,
    step integer,
    actor text,
    kind text,
    attempt integer,
    detail text,
    followed_by text,
    at interval
);
