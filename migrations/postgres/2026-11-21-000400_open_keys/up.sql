ALTER TABLE idempotency_records
    -- What the key stands for: an opaque operation has no payment, its id is its own.
    ADD COLUMN subject text NOT NULL DEFAULT 'payment' CHECK (subject IN ('payment', 'opaque')),
    -- Until when an open payment waits for its client; recovery only looks before then.
    ADD COLUMN open_until timestamptz,
    ADD CHECK (state <> 'open' OR open_until IS NOT NULL);
