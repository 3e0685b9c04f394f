-- Times are microseconds since 1970 in UTC, UUIDs their 16 bytes, metadata JSON text.

-- One row for each key of each account: who works on it, and the answer every repeat gets.
-- Never partitioned by time: the same key could then exist twice.
CREATE TABLE idempotency_records (
    account_id text NOT NULL,
    key_space text NOT NULL CHECK (key_space IN ('key', 'order')),
    key text NOT NULL CHECK (key <> ''),
    -- Which use of the key: it grows when an expired key is reused.
    generation integer NOT NULL CHECK (generation >= 1),
    payment_id blob NOT NULL,
    -- The rule that made the fingerprint: a build that does not know it must not compare.
    fingerprint_version integer NOT NULL,
    fingerprint blob NOT NULL,
    -- The request that opened this generation.
    request_id text NOT NULL,
    -- Counts owners; a write under an older number changes nothing.
    fence integer NOT NULL CHECK (fence >= 1),
    -- The number of whoever opened this generation.
    opening_fence integer NOT NULL CHECK (opening_fence BETWEEN 1 AND fence),
    state text NOT NULL CHECK (
        state IN ('running', 'open', 'queued', 'unknown', 'in_review', 'settled', 'purged')
    ),
    -- End of the lease while running, else when recovery looks next.
    due_at integer,
    -- Whether somebody waits for the owner: then a settle is announced to other instances.
    is_awaited integer NOT NULL CHECK (is_awaited IN (0, 1)),
    first_seen_at integer NOT NULL,
    last_seen_at integer NOT NULL,
    settled_at integer,
    expires_at integer,
    -- The answer, word for word.
    answer_status integer CHECK (answer_status BETWEEN 100 AND 599),
    answer_content_type text,
    answer_location text,
    answer_body blob,
    PRIMARY KEY (account_id, key_space, key),
    CHECK ((state IN ('running', 'open', 'queued', 'unknown')) = (due_at IS NOT NULL)),
    CHECK ((state IN ('settled', 'purged')) = (expires_at IS NOT NULL)),
    CHECK ((state IN ('settled', 'purged')) = (settled_at IS NOT NULL)),
    CHECK ((state = 'settled') = (answer_status IS NOT NULL)),
    CHECK ((state = 'settled') = (answer_content_type IS NOT NULL)),
    CHECK ((state = 'settled') = (answer_body IS NOT NULL)),
    CHECK (answer_location IS NULL OR state = 'settled')
) STRICT;

-- What recovery has to look at, oldest first.
CREATE INDEX idempotency_records_due ON idempotency_records (due_at) WHERE due_at IS NOT NULL;

-- What the sweep has to look at.
CREATE INDEX idempotency_records_expiring ON idempotency_records (expires_at)
    WHERE state = 'settled';
CREATE INDEX idempotency_records_remembered ON idempotency_records (settled_at)
    WHERE state = 'purged';

-- One row for each intended movement of money; kept for good.
CREATE TABLE payments (
    account_id text NOT NULL,
    id blob NOT NULL,
    key_space text NOT NULL CHECK (key_space IN ('key', 'order')),
    key text NOT NULL,
    generation integer NOT NULL CHECK (generation >= 1),
    operation text NOT NULL,
    status text NOT NULL CHECK (status IN ('PROCESSING', 'COMPLETED', 'FAILED', 'NEEDS_REVIEW')),
    amount_minor integer NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    payment_method text,
    reference text,
    description text,
    metadata text NOT NULL,
    -- Which gateway holds the charge: an instance with another identity never touches it.
    gateway_kind text NOT NULL,
    gateway_base_url text NOT NULL,
    gateway_account text NOT NULL,
    gateway_key blob NOT NULL,
    -- The bytes sent on every attempt.
    gateway_request blob NOT NULL,
    gateway_reference text,
    attempts integer NOT NULL CHECK (attempts >= 0),
    first_sent_at integer,
    -- A one-way door: once set, the payment can only be voided.
    void_intended_at integer,
    failure_code text CHECK (failure_code IN ('payment_declined', 'gateway_error')),
    decline_code text,
    created_at integer NOT NULL,
    completed_at integer,
    PRIMARY KEY (account_id, id),
    -- For good: forgetting a record never lets its generation pay again.
    CONSTRAINT payments_one_for_each_generation UNIQUE (account_id, key_space, key, generation),
    CHECK ((attempts = 0) = (first_sent_at IS NULL)),
    CHECK ((status IN ('COMPLETED', 'FAILED')) = (completed_at IS NOT NULL)),
    CHECK ((status = 'FAILED') = (failure_code IS NOT NULL)),
    CHECK (status <> 'COMPLETED' OR gateway_reference IS NOT NULL),
    CHECK (decline_code IS NULL OR failure_code = 'payment_declined')
) STRICT;

-- Lists, newest first.
CREATE INDEX payments_newest ON payments (account_id, created_at, id);
CREATE INDEX payments_reference ON payments (account_id, reference, created_at)
    WHERE reference IS NOT NULL;

-- The timeline: one row for each attempt and each change of state, never changed.
CREATE TABLE payment_events (
    account_id text NOT NULL,
    payment_id blob NOT NULL,
    -- The owner that wrote it, and its place among that owner's entries.
    fence integer NOT NULL,
    step integer NOT NULL,
    at integer NOT NULL,
    actor text NOT NULL CHECK (actor IN ('request', 'retry', 'recovery', 'operator')),
    kind text NOT NULL,
    attempt integer,
    detail text,
    PRIMARY KEY (account_id, payment_id, fence, step)
) STRICT;
