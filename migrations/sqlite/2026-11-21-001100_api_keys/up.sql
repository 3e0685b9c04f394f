-- Times are microseconds since 1970 in UTC.

-- The keys by which accounts are asked for. A key is found by its beginning, before anybody knows
-- whose it is; it is known by its hash, and the key itself is nowhere.
CREATE TABLE api_keys (
    prefix text NOT NULL PRIMARY KEY
        CHECK (length(prefix) = 20 AND (prefix GLOB 'po_live_*' OR prefix GLOB 'po_test_*')),
    -- SHA-256 of the whole key.
    secret_hash blob NOT NULL CHECK (length(secret_hash) = 32),
    -- With ~test at its end for the account's test side.
    account_id text NOT NULL CHECK (account_id <> ''),
    scope text NOT NULL CHECK (scope IN ('read', 'write')),
    -- What its operator calls it.
    name text CHECK (name <> ''),
    created_at integer NOT NULL,
    -- For good: a key never becomes good again.
    revoked_at integer,
    -- A test key never asks in a live account's name, nor the other way round.
    CHECK ((prefix GLOB 'po_test_*') = (account_id GLOB '*~test'))
) STRICT;
