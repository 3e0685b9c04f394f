-- What tells rows apart is compared byte by byte. In the order of a language, which is the database's
-- unless it was made with another, an index is silently wrong once the C library or ICU has changed that order (a newer
-- system under the same data): a key that was used is not found, and can be used again. The order of bytes never
-- changes, and comparing them costs less.
--
-- The tables stay as they are; their indexes are made anew, and until that is done nobody else reads or writes
-- the table.

-- A column that a view reads keeps its type, so the view is made anew, with what was granted on it.
SELECT set_config('payonce.granted', coalesce(nullif(relacl::text, '{}'), ''), true)
FROM pg_class WHERE oid = 'payment_timeline'::regclass;
DROP VIEW payment_timeline;

ALTER TABLE idempotency_records
    ALTER account_id TYPE text COLLATE "C",
    ALTER key_space TYPE text COLLATE "C",
    ALTER key TYPE text COLLATE "C";

ALTER TABLE payments
    ALTER account_id TYPE text COLLATE "C",
    ALTER key_space TYPE text COLLATE "C",
    ALTER key TYPE text COLLATE "C",
    ALTER reference TYPE text COLLATE "C";

ALTER TABLE payment_events
    ALTER account_id TYPE text COLLATE "C";

ALTER TABLE transactions
    ALTER account_id TYPE text COLLATE "C",
    ALTER transaction_id TYPE text COLLATE "C";

ALTER TABLE transaction_conflicts
    ALTER account_id TYPE text COLLATE "C",
    ALTER transaction_id TYPE text COLLATE "C";

ALTER TABLE pinned_settings
    ALTER name TYPE text COLLATE "C";

ALTER TABLE api_keys
    ALTER prefix TYPE text COLLATE "C";

CREATE VIEW payment_timeline AS
SELECT account_id, id AS payment_id, opening_fence AS fence, 0 AS step, created_at AS at,
    'request'::text AS actor, 'created'::text AS kind, NULL::integer AS attempt, NULL::text AS detail
FROM payments WHERE opening_fence IS NOT NULL
UNION ALL
SELECT account_id, payment_id, fence, step, at, actor, kind, attempt, detail
FROM payment_events
UNION ALL
SELECT account_id, payment_id, fence, step + 1, at, actor, followed_by, NULL, NULL
FROM payment_events WHERE followed_by IS NOT NULL;

DO $$
DECLARE one record;
BEGIN
    FOR one IN
        SELECT privilege_type AS privilege, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS more,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role
        FROM aclexplode(nullif(current_setting('payonce.granted'), '')::aclitem[])
    LOOP
        EXECUTE format('GRANT %s ON payment_timeline TO %s%s', one.privilege, one.role, one.more);
    END LOOP;
END $$;

-- What was known of the columns went with their type.
ANALYZE idempotency_records, payments, payment_events, transactions, transaction_conflicts;
