-- What the key stands for: an opaque operation has no payment, its id is its own.
ALTER TABLE idempotency_records
    ADD COLUMN subject text NOT NULL DEFAULT 'payment' CHECK (subject IN ('payment', 'opaque'));
-- Until when an open payment waits for its client; recovery only looks before then.
ALTER TABLE idempotency_records
    ADD COLUMN open_until integer CHECK (state <> 'open' OR open_until IS NOT NULL);
