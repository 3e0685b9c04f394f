-- The same rules, at less cost. SQLite makes a table in memory for each list of words in a check, for each
-- statement that writes to the table: the lists become comparisons. Keys of indexes begin with the column
-- that tells rows apart, and entries of timelines are kept in their key alone. What the columns are for is
-- said where the tables were first made.

CREATE TABLE idempotency_records_rebuilt (
    account_id text NOT NULL,
    key_space text NOT NULL CHECK (key_space = 'key' OR key_space = 'order'),
    key text NOT NULL CHECK (key <> ''),
    generation integer NOT NULL CHECK (generation >= 1),
    payment_id blob NOT NULL,
    fingerprint_version integer NOT NULL,
    fingerprint blob NOT NULL,
    request_id text NOT NULL,
    fence integer NOT NULL CHECK (fence >= 1),
    opening_fence integer NOT NULL CHECK (opening_fence BETWEEN 1 AND fence),
    state text NOT NULL CHECK (
        state = 'running' OR state = 'open' OR state = 'queued' OR state = 'unknown'
        OR state = 'in_review' OR state = 'settled' OR state = 'purged'
    ),
    due_at integer,
    is_awaited integer NOT NULL CHECK (is_awaited = 0 OR is_awaited = 1),
    first_seen_at integer NOT NULL,
    last_seen_at integer NOT NULL,
    settled_at integer,
    expires_at integer,
    answer_status integer CHECK (answer_status BETWEEN 100 AND 599),
    answer_content_type text,
    answer_location text,
    answer_body blob,
    subject text NOT NULL DEFAULT 'payment' CHECK (subject = 'payment' OR subject = 'opaque'),
    open_until integer CHECK (state <> 'open' OR open_until IS NOT NULL),
    PRIMARY KEY (key, key_space, account_id),
    CHECK ((due_at IS NULL) = (settled_at IS NOT NULL OR state = 'in_review')),
    CHECK ((settled_at IS NOT NULL) = (state = 'settled' OR state = 'purged')),
    CHECK ((settled_at IS NULL) = (expires_at IS NULL)),
    CHECK ((state = 'settled') = (answer_status IS NOT NULL)),
    CHECK ((state = 'settled') = (answer_content_type IS NOT NULL)),
    CHECK ((state = 'settled') = (answer_body IS NOT NULL)),
    CHECK (answer_location IS NULL OR state = 'settled')
) STRICT;
INSERT INTO idempotency_records_rebuilt (
    account_id, key_space, key, generation, payment_id, fingerprint_version,
    fingerprint, request_id, fence, opening_fence, state, due_at,
    is_awaited, first_seen_at, last_seen_at, settled_at, expires_at, answer_status,
    answer_content_type, answer_location, answer_body, subject, open_until
) SELECT
    account_id, key_space, key, generation, payment_id, fingerprint_version,
    fingerprint, request_id, fence, opening_fence, state, due_at,
    is_awaited, first_seen_at, last_seen_at, settled_at, expires_at, answer_status,
    answer_content_type, answer_location, answer_body, subject, open_until
FROM idempotency_records;
DROP TABLE idempotency_records;
ALTER TABLE idempotency_records_rebuilt RENAME TO idempotency_records;
CREATE INDEX idempotency_records_due ON idempotency_records (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX idempotency_records_expiring ON idempotency_records (expires_at)
    WHERE state = 'settled';
CREATE INDEX idempotency_records_remembered ON idempotency_records (settled_at)
    WHERE state = 'purged';
CREATE INDEX idempotency_records_in_review ON idempotency_records (first_seen_at)
    WHERE state = 'in_review';

CREATE TABLE payments_rebuilt (
    account_id text NOT NULL,
    id blob NOT NULL,
    key_space text NOT NULL CHECK (key_space = 'key' OR key_space = 'order'),
    key text NOT NULL,
    generation integer NOT NULL CHECK (generation >= 1),
    operation text NOT NULL,
    status text NOT NULL CHECK (
        status = 'PROCESSING' OR status = 'COMPLETED' OR status = 'FAILED'
        OR status = 'NEEDS_REVIEW'
    ),
    amount_minor integer NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    payment_method text,
    reference text,
    description text,
    metadata text NOT NULL,
    gateway_kind text NOT NULL,
    gateway_base_url text NOT NULL,
    gateway_account text NOT NULL,
    gateway_key blob NOT NULL,
    gateway_request blob NOT NULL,
    gateway_reference text,
    attempts integer NOT NULL CHECK (attempts >= 0),
    first_sent_at integer,
    void_intended_at integer,
    failure_code text CHECK (failure_code = 'payment_declined' OR failure_code = 'gateway_error'),
    decline_code text,
    created_at integer NOT NULL,
    completed_at integer,
    PRIMARY KEY (id, account_id),
    CONSTRAINT payments_one_for_each_generation
        UNIQUE (key, key_space, account_id, generation),
    CHECK ((attempts = 0) = (first_sent_at IS NULL)),
    CHECK ((status = 'COMPLETED' OR status = 'FAILED') = (completed_at IS NOT NULL)),
    CHECK ((status = 'FAILED') = (failure_code IS NOT NULL)),
    CHECK (status <> 'COMPLETED' OR gateway_reference IS NOT NULL),
    CHECK (decline_code IS NULL OR failure_code = 'payment_declined')
) STRICT;
INSERT INTO payments_rebuilt (
    account_id, id, key_space, key, generation, operation,
    status, amount_minor, currency, payment_method, reference, description,
    metadata, gateway_kind, gateway_base_url, gateway_account, gateway_key, gateway_request,
    gateway_reference, attempts, first_sent_at, void_intended_at, failure_code, decline_code,
    created_at, completed_at
) SELECT
    account_id, id, key_space, key, generation, operation,
    status, amount_minor, currency, payment_method, reference, description,
    metadata, gateway_kind, gateway_base_url, gateway_account, gateway_key, gateway_request,
    gateway_reference, attempts, first_sent_at, void_intended_at, failure_code, decline_code,
    created_at, completed_at
FROM payments;
DROP TABLE payments;
ALTER TABLE payments_rebuilt RENAME TO payments;
CREATE INDEX payments_newest ON payments (account_id, created_at, id);
CREATE INDEX payments_reference ON payments (account_id, reference, created_at)
    WHERE reference IS NOT NULL;

CREATE TABLE payment_events_rebuilt (
    account_id text NOT NULL,
    payment_id blob NOT NULL,
    fence integer NOT NULL,
    step integer NOT NULL,
    at integer NOT NULL,
    actor text NOT NULL CHECK (
        actor = 'request' OR actor = 'retry' OR actor = 'recovery' OR actor = 'operator'
    ),
    kind text NOT NULL,
    attempt integer,
    detail text,
    PRIMARY KEY (payment_id, account_id, fence, step)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_events_rebuilt (
    account_id, payment_id, fence, step, at, actor,
    kind, attempt, detail
) SELECT
    account_id, payment_id, fence, step, at, actor,
    kind, attempt, detail
FROM payment_events;
DROP TABLE payment_events;
ALTER TABLE payment_events_rebuilt RENAME TO payment_events;

CREATE TABLE transactions_rebuilt (
    account_id text NOT NULL,
    transaction_id text NOT NULL CHECK (transaction_id <> ''),
    source_account text NOT NULL CHECK (source_account <> ''),
    destination_account text NOT NULL CHECK (destination_account <> ''),
    amount_minor integer NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    state text NOT NULL CHECK (
        state = 'waiting' OR state = 'running' OR state = 'processed' OR state = 'dead'
    ),
    fence integer NOT NULL CHECK (fence >= 0),
    attempts integer NOT NULL CHECK (attempts >= 0),
    due_at integer,
    last_failure text,
    created_at integer NOT NULL,
    processed_at integer,
    PRIMARY KEY (transaction_id, account_id),
    CHECK ((state = 'waiting' OR state = 'running') = (due_at IS NOT NULL)),
    CHECK ((state = 'processed') = (processed_at IS NOT NULL)),
    CHECK (state = 'waiting' OR fence >= 1),
    CHECK (state <> 'dead' OR last_failure IS NOT NULL)
) STRICT;
INSERT INTO transactions_rebuilt (
    account_id, transaction_id, source_account, destination_account, amount_minor, currency,
    state, fence, attempts, due_at, last_failure, created_at,
    processed_at
) SELECT
    account_id, transaction_id, source_account, destination_account, amount_minor, currency,
    state, fence, attempts, due_at, last_failure, created_at,
    processed_at
FROM transactions;
DROP TABLE transactions;
ALTER TABLE transactions_rebuilt RENAME TO transactions;
CREATE INDEX transactions_due ON transactions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX transactions_dead ON transactions (account_id, created_at) WHERE state = 'dead';
