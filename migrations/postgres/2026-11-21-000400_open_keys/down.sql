-- The older schema cannot say until when a payment is open, nor that a key stands for
-- no payment. What is open becomes recovery's; with `open_until` gone it could not come back.
UPDATE idempotency_records SET state = 'unknown', open_until = NULL WHERE state = 'open';
-- No older build can answer such a key.
DELETE FROM idempotency_records WHERE subject = 'opaque';
ALTER TABLE idempotency_records DROP COLUMN open_until, DROP COLUMN subject;
