-- Rows as group commit sends them, many at a time: one array of a composite type costs the server less
-- than an array for each column. Intervals are counted from the statement's reading of the clock.
-- A type never changes: another shape gets another name, because instances of two versions run beside
-- each other while one is being deployed.

CREATE TYPE record_to_insert AS (
    account_id text,
    key_space text,
    key text,
    generation integer,
    subject text,
    payment_id uuid,
    fingerprint_version smallint,
    fingerprint bytea,
    request_id text,
    fence bigint,
    opening_fence bigint,
    state text,
    is_awaited boolean,
    due_at interval,
    first_seen_at interval,
    last_seen_at interval
);

CREATE TYPE payment_to_insert AS (
    account_id text,
    id uuid,
    key_space text,
    key text,
    generation integer,
    operation text,
    status text,
    amount_minor bigint,
    currency text,
    payment_method text,
    reference text,
    description text,
    metadata jsonb,
    gateway_kind text,
    gateway_base_url text,
    gateway_account text,
    gateway_key uuid,
    gateway_request bytea,
    attempts integer,
    first_sent_at interval,
    created_at interval
);

CREATE TYPE record_to_settle AS (
    account_id text,
    key_space text,
    key text,
    payment_id uuid,
    request_id text,
    fence bigint,
    answer_status smallint,
    answer_content_type text,
    answer_location text,
    answer_body bytea,
    settled_at interval,
    expires_at interval
);

CREATE TYPE payment_to_finish AS (
    account_id text,
    id uuid,
    status text,
    gateway_reference text,
    failure_code text,
    decline_code text,
    completed_at timestamptz
);

CREATE TYPE event_to_insert AS (
    account_id text,
    payment_id uuid,
    fence bigint,
    step integer,
    actor text,
    kind text,
    attempt integer,
    detail text,
    at interval
);

CREATE TYPE transaction_to_insert AS (
    account_id text,
    transaction_id text,
    source_account text,
    destination_account text,
    amount_minor bigint,
    currency text,
    state text,
    fence bigint,
    attempts integer,
    due_at interval,
    created_at interval
);
