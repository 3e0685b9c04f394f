-- What tells rows apart is compared byte by byte. In the order of a language, which is the database's
-- unless it was made with another, an index is silently wrong once the C library or ICU has changed that order (a newer
-- system under the same data): a key that was used is not found, and can be used again. The order of bytes never
-- changes, and comparing them costs less.
--
-- The tables stay as they are; their indexes are made anew, and until that is done nobody else reads or writes
-- the table.

-- A column that a view reads keeps its type, so the view is made anew as it was, with what was granted on it.
DO $$
DECLARE
    timeline text := pg_get_viewdef('payment_timeline'::regclass);
    granted aclitem[] := (SELECT relacl FROM pg_class WHERE oid = 'payment_timeline'::regclass);
    one record;
BEGIN
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

    EXECUTE 'CREATE VIEW payment_timeline AS ' || timeline;
    FOR one IN
        SELECT privilege_type AS privilege, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS more,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role
        FROM aclexplode(granted)
    LOOP
        EXECUTE format('GRANT %s ON payment_timeline TO %s%s', one.privilege, one.role, one.more);
    END LOOP;
END $$;

-- What was known of the columns went with their type.
ANALYZE idempotency_records, payments, payment_events, transactions, transaction_conflicts;
