-- One row for each transaction that was announced; kept for good, so that none is processed twice.
-- It is its own place in the queue.
CREATE TABLE transactions (
    account_id text NOT NULL,
    transaction_id text NOT NULL CHECK (transaction_id <> ''),
    source_account text NOT NULL CHECK (source_account <> ''),
    destination_account text NOT NULL CHECK (destination_account <> ''),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'processed', 'dead')),
    -- Counts those who took it; a write under an older number changes nothing.
    fence bigint NOT NULL CHECK (fence >= 0),
    -- Attempts begun since it was accepted or revived.
    attempts integer NOT NULL CHECK (attempts >= 0),
    -- End of the lease while running, else when somebody may take it.
    due_at timestamptz,
    -- For operators: why the last failed attempt failed.
    last_failure text,
    created_at timestamptz NOT NULL,
    processed_at timestamptz,
    PRIMARY KEY (account_id, transaction_id),
    CHECK ((state IN ('waiting', 'running')) = (due_at IS NOT NULL)),
    CHECK ((state = 'processed') = (processed_at IS NOT NULL)),
    CHECK (state = 'waiting' OR fence >= 1),
    CHECK (state <> 'dead' OR last_failure IS NOT NULL)
);

-- What the workers have to look at, oldest first.
CREATE INDEX transactions_due ON transactions (due_at) WHERE due_at IS NOT NULL;

-- What operators have to look at, oldest first.
CREATE INDEX transactions_dead ON transactions (account_id, created_at) WHERE state = 'dead';

-- One row for each transaction that was announced again with other contents, however often: how
-- often, and the last of those contents. What was announced first stands.
CREATE TABLE transaction_conflicts (
    account_id text NOT NULL,
    transaction_id text NOT NULL,
    times bigint NOT NULL CHECK (times >= 1),
    source_account text NOT NULL,
    destination_account text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, transaction_id)
);
