-- The keys by which accounts are asked for. A key is found by its beginning, before anybody knows
-- whose it is; it is known by its hash, and the key itself is nowhere.
CREATE TABLE api_keys (
    prefix text NOT NULL PRIMARY KEY CHECK (prefix ~ '^po_(live|test)_[0-9A-Za-z]{12}$'),
    -- SHA-256 of the whole key.
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    -- With ~test at its end for the account's test side.
    account_id text NOT NULL CHECK (account_id <> ''),
    scope text NOT NULL CHECK (scope IN ('read', 'write')),
    -- What its operator calls it.
    name text CHECK (name <> ''),
    created_at timestamptz NOT NULL,
    -- For good: a key never becomes good again.
    revoked_at timestamptz,
    -- A test key never asks in a live account's name, nor the other way round.
    CHECK ((prefix LIKE 'po~_test~_%' ESCAPE '~') = (account_id LIKE '%~test'))
);
