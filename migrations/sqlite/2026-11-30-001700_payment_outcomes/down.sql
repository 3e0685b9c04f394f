-- The payment's own row tells its end again, and so does a row of its timeline.
UPDATE payments
SET status = outcome.status, gateway_reference = outcome.gateway_reference, failure_code = outcome.failure_code,
    decline_code = outcome.decline_code, completed_at = outcome.completed_at
FROM payment_outcomes AS outcome
WHERE payments.id = outcome.payment_id AND payments.account_id = outcome.account_id;

INSERT OR IGNORE INTO payment_events (account_id, payment_id, fence, step, at, actor, kind, attempt, detail, followed_by)
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail, followed_by
FROM payment_outcomes;

DROP VIEW payment_states;
DROP VIEW payment_timeline;
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
DROP TABLE payment_outcomes;
DROP INDEX IF EXISTS payments_apart;
