ALTER TABLE idempotency_records DROP COLUMN open_until;
ALTER TABLE idempotency_records DROP COLUMN subject;
