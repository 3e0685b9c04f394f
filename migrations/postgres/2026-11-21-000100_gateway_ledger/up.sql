-- The books of the fake gateway: one row for each key, inserted once and never changed.
CREATE TABLE gateway_charges (
    key uuid PRIMARY KEY,
    -- Voided: the key was burnt before a charge could come, so there is nothing else to tell.
    status text NOT NULL CHECK (status IN ('approved', 'declined', 'voided')),
    -- Derived from the key. Not unique by a constraint of its own: racing inserts of one key must
    -- meet in the key alone, which ends all but the first without an error.
    charge_id text CHECK (charge_id <> ''),
    -- As the caller spelled them: a repeat must spell them alike.
    amount text CHECK (amount <> ''),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    payment_method text,
    -- The caller's label; the first one stays.
    reference text,
    decline_code text CHECK (decline_code <> ''),
    executed_at timestamptz NOT NULL,
    CHECK ((status = 'voided') = (charge_id IS NULL)),
    CHECK ((status = 'voided') = (amount IS NULL)),
    CHECK ((status = 'voided') = (currency IS NULL)),
    CHECK (status <> 'voided' OR (payment_method IS NULL AND reference IS NULL)),
    CHECK ((status = 'declined') = (decline_code IS NOT NULL))
);
