DROP TYPE payment_to_open, event_to_append;
-- A row for each entry again.
INSERT INTO payment_events (account_id, payment_id, fence, step, at, actor, kind, attempt, detail)
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail FROM payment_timeline
ON CONFLICT DO NOTHING;
DROP VIEW payment_timeline;
ALTER TABLE payment_events DROP COLUMN followed_by;
ALTER TABLE payments DROP COLUMN opening_fence;
