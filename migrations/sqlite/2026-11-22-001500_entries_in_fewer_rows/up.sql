-- A payment that is answered at once writes one row of its timeline, not three. That it was created is
-- what `payments` says, and what became of it is told by the row of the attempt that proved it. The
-- timeline itself, an entry for each, is a view.

-- The owner that opened it. Without it there is a row of its own for the timeline's first entry.
ALTER TABLE payments ADD COLUMN opening_fence integer;

-- What happened next, in the same transaction, where there is nothing else to say of it: the next step.
ALTER TABLE payment_events ADD COLUMN followed_by text;

CREATE VIEW payment_timeline AS
SELECT account_id, id AS payment_id, opening_fence AS fence, 0 AS step, created_at AS at,
    'request' AS actor, 'created' AS kind, NULL AS attempt, NULL AS detail
FROM payments WHERE opening_fence IS NOT NULL
UNION ALL
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail
FROM payment_events
UNION ALL
SELECT account_id, payment_id, fence, step + 1, at, actor, followed_by, NULL, NULL
FROM payment_events WHERE followed_by IS NOT NULL;
