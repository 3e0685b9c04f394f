-- A column that a view reads keeps its type, so the view is made anew as it was, with what was granted on it.
DO $$
DECLARE
    timeline text := pg_get_viewdef('payment_timeline'::regclass);
    granted aclitem[] := (SELECT relacl FROM pg_class WHERE oid = 'payment_timeline'::regclass);
    one record;
BEGIN
    DROP VIEW payment_timeline;

    ALTER TABLE idempotency_records
        ALTER account_id TYPE text COLLATE "default",
        ALTER key_space TYPE text COLLATE "default",
        ALTER key TYPE text COLLATE "default";

    ALTER TABLE payments
        ALTER account_id TYPE text COLLATE "default",
        ALTER key_space TYPE text COLLATE "default",
        ALTER key TYPE text COLLATE "default",
        ALTER reference TYPE text COLLATE "default";

    ALTER TABLE payment_events
        ALTER account_id TYPE text COLLATE "default";

    ALTER TABLE transactions
        ALTER account_id TYPE text COLLATE "default",
        ALTER transaction_id TYPE text COLLATE "default";

    ALTER TABLE transaction_conflicts
        ALTER account_id TYPE text COLLATE "default",
        ALTER transaction_id TYPE text COLLATE "default";

    ALTER TABLE pinned_settings
        ALTER name TYPE text COLLATE "default";

    ALTER TABLE api_keys
        ALTER prefix TYPE text COLLATE "default";

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
