-- How a payment ended is a row of its own, inserted once and never changed. Until now it was a change of
-- the payment's row, which wrote all of it again, and a row of its timeline; what `payments` says of ends
-- (its status COMPLETED or FAILED, and what goes with them) it says of payments that ended before. Where a
-- payment stands is told by the view `payment_states`.

CREATE TABLE payment_outcomes (
    account_id text COLLATE "C" NOT NULL,
    payment_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('COMPLETED', 'FAILED')),
    gateway_reference text,
    failure_code text CHECK (failure_code IN ('payment_declined', 'gateway_error')),
    decline_code text,
    completed_at timestamptz NOT NULL,
    -- When a payment that failed was made: what lists of failures are in the order of.
    created_at timestamptz,
    -- The last row of the timeline, as in payment_events: what proved the end, or the end alone.
    fence bigint NOT NULL,
    step integer NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL CHECK (actor IN ('request', 'retry', 'recovery', 'operator')),
    kind text NOT NULL,
    attempt integer,
    detail text,
    followed_by text,
    -- A payment ends once.
    PRIMARY KEY (payment_id, account_id),
    CONSTRAINT what_is_paid_names_its_charge
        CHECK (status <> 'COMPLETED' OR gateway_reference IS NOT NULL),
    CONSTRAINT what_failed_says_why
        CHECK ((status = 'FAILED') = (failure_code IS NOT NULL) AND (failure_code IS NULL) = (created_at IS NULL)),
    CONSTRAINT a_decline_is_a_failure
        CHECK (decline_code IS NULL OR failure_code = 'payment_declined')
);

-- Lists of failures, and of what is in review, pass over no other payments.
CREATE INDEX payment_outcomes_failed ON payment_outcomes (account_id, created_at, payment_id) WHERE status = 'FAILED';
CREATE INDEX payments_apart ON payments (account_id, created_at, id) WHERE status IN ('FAILED', 'NEEDS_REVIEW');

-- A payment's row needs no room for its settled version any more.
ALTER TABLE payments RESET (fillfactor);

CREATE VIEW payment_states AS
SELECT payments.account_id, payments.id, payments.key_space, payments.key, payments.generation, payments.operation,
    CASE WHEN outcome.payment_id IS NULL THEN payments.status ELSE outcome.status END AS status,
    payments.amount_minor, payments.currency, payments.payment_method, payments.reference, payments.description,
    payments.metadata, payments.gateway_kind, payments.gateway_base_url, payments.gateway_account,
    payments.gateway_key, payments.gateway_request,
    CASE WHEN outcome.payment_id IS NULL THEN payments.gateway_reference ELSE outcome.gateway_reference END AS gateway_reference,
    payments.attempts, payments.first_sent_at, payments.void_intended_at,
    CASE WHEN outcome.payment_id IS NULL THEN payments.failure_code ELSE outcome.failure_code END AS failure_code,
    CASE WHEN outcome.payment_id IS NULL THEN payments.decline_code ELSE outcome.decline_code END AS decline_code,
    payments.created_at,
    CASE WHEN outcome.payment_id IS NULL THEN payments.completed_at ELSE outcome.completed_at END AS completed_at,
    payments.opening_fence
FROM payments LEFT JOIN payment_outcomes AS outcome
    ON outcome.payment_id = payments.id AND outcome.account_id = payments.account_id;

CREATE OR REPLACE VIEW payment_timeline AS
SELECT account_id, id AS payment_id, opening_fence AS fence, 0 AS step, created_at AS at,
    'request'::text AS actor, 'created'::text AS kind, NULL::integer AS attempt, NULL::text AS detail
FROM payments WHERE opening_fence IS NOT NULL
UNION ALL
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail
FROM payment_events
UNION ALL
SELECT account_id, payment_id, fence, step + 1, at, actor, followed_by, NULL, NULL
FROM payment_events WHERE followed_by IS NOT NULL
UNION ALL
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail
FROM payment_outcomes
UNION ALL
SELECT account_id, payment_id, fence, step + 1, at, actor, followed_by, NULL, NULL
FROM payment_outcomes WHERE followed_by IS NOT NULL;

-- Who may write timelines may write ends, and who may read payments may read where they stand: they and nobody
-- else, whatever default privileges say.
DO $$
DECLARE one record;
BEGIN
    FOR one IN
        SELECT new.oid::regclass AS object,
            CASE privilege.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(privilege.grantee)) END AS role
        FROM pg_class AS new CROSS JOIN aclexplode(new.relacl) AS privilege
        WHERE new.oid IN ('payment_outcomes'::regclass, 'payment_states'::regclass)
            AND privilege.grantee <> new.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', one.object, one.role);
    END LOOP;
    FOR one IN
        SELECT new.name AS object, privilege.privilege_type AS privilege,
            CASE WHEN privilege.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS more,
            CASE privilege.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(privilege.grantee)) END AS role
        FROM (VALUES ('payment_outcomes', 'payment_events'), ('payment_states', 'payments')) AS new (name, as_on)
            JOIN pg_class ON pg_class.oid = new.as_on::regclass
            CROSS JOIN aclexplode(pg_class.relacl) AS privilege
        WHERE new.name = 'payment_outcomes' OR privilege.privilege_type = 'SELECT'
    LOOP
        EXECUTE format('GRANT %s ON %I TO %s%s', one.privilege, one.object, one.role, one.more);
    END LOOP;
END $$;

-- A payment that is opened, and one that is settled, with what is written to all tables for it: in the place of
-- `record_to_insert` and `payment_to_open`, and of `record_to_settle` and `payment_to_finish`, which instances of
-- the version before use.
CREATE TYPE payment_opening AS (
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
    state text,
    due_at interval,
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
    first_sent_at interval
);

CREATE TYPE payment_settlement AS (
    account_id text,
    key_space text,
    key text,
    payment_id uuid,
    request_id text,
    owner bigint,
    answer_status smallint,
    answer_content_type text,
    answer_location text,
    answer_body bytea,
    expires_at interval,
    status text,
    gateway_reference text,
    failure_code text,
    decline_code text,
    completed_at timestamptz,
    created_at timestamptz,
    fence bigint,
    step integer,
    actor text,
    kind text,
    attempt integer,
    detail text,
    followed_by text
);

-- What the version before the one before used.
DROP TYPE payment_to_insert, event_to_insert;
