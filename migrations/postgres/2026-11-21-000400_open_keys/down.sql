ALTER TABLE idempotency_records DROP COLUMN open_until, DROP COLUMN subject;
