-- The rows of one_payment.sql for 64 payments at once: each of the two transactions is one statement.
\set count :count + 1
\set client 100 + :client_id
\set chance random(10000000000000, 89999999999999)
BEGIN;
WITH batch AS MATERIALIZED (
    SELECT (:count::text || :client::text || (10 + n)::text || :chance::text)::uuid AS id,
        substr(md5(:chance::text || n::text), 1, 16) || '-fresh-0-12345' AS key, clock_timestamp() AS now
    FROM generate_series(1, 64) AS n
    ORDER BY 2
), records AS (
    INSERT INTO idempotency_records (account_id, key_space, key, generation, subject, payment_id, fingerprint_version,
        fingerprint, request_id, fence, opening_fence, state, due_at, is_awaited, first_seen_at, last_seen_at)
    SELECT 'default', 'key', key, 1, 'payment', id, 1,
        '\x5f0f5b0c8a3e2d1c4b5a69788796a5b4c3d2e1f00112233445566778899aabbc'::bytea,
        '01a1fdeb-6164-7700-8874-1b48ca4b8df4', 1, 1, 'running', now + interval '20 s', false, now, now
    FROM batch
    ON CONFLICT DO NOTHING
), paid AS (
    INSERT INTO payments (account_id, id, key_space, key, generation, operation, status, amount_minor, currency,
        payment_method, description, metadata, gateway_kind, gateway_base_url, gateway_account, gateway_key,
        gateway_request, attempts, first_sent_at, created_at, opening_fence)
    SELECT 'default', id, 'key', key, 1, 'create_payment', 'PROCESSING', 10000, 'USD', 'pm_card_visa',
        'Two books and a pen, gift wrapped.', '{}'::jsonb, 'simulated', '', '', id,
        '{"amount":"100.00","currency":"USD","reference":"01a1fdeb-6164-7700-8874-1b49e96ad766","payment_method":"pm_card_visa"}'::bytea,
        1, now, now, 1
    FROM batch
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM batch;
COMMIT;
BEGIN;
WITH batch AS MATERIALIZED (
    SELECT (:count::text || :client::text || (10 + n)::text || :chance::text)::uuid AS id,
        substr(md5(:chance::text || n::text), 1, 16) || '-fresh-0-12345' AS key, clock_timestamp() AS now
    FROM generate_series(1, 64) AS n
    ORDER BY 2
), records AS (
    UPDATE idempotency_records AS record
    SET state = 'settled', due_at = NULL, settled_at = now, expires_at = now + interval '1 day', answer_status = 201,
        answer_content_type = 'application/json',
        answer_location = '/v1/payments/01a1fdeb-6164-7700-8874-1b49e96ad766',
        answer_body = '{"id":"01a1fdeb-6164-7700-8874-1b49e96ad766","status":"COMPLETED","amount":"100.00","currency":"USD","payment_method":"pm_card_visa","reference": null,"description":"Two books and a pen, gift wrapped.","metadata":{},"gateway":"simulated","gateway_reference":"ch_3f902a6c28a5826e89c54f03627f06a5","attempts":1,"failure": null,"created_at":"2026-11-21T11:43:43.973786Z","completed_at":"2026-11-21T11:43:44.028400Z"}'
    FROM batch
    WHERE record.account_id = 'default' AND record.key_space = 'key' AND record.key = batch.key
)
INSERT INTO payment_outcomes (account_id, payment_id, status, gateway_reference, completed_at, fence, step, at, actor,
    kind, attempt, detail, followed_by)
SELECT 'default', id, 'COMPLETED', 'ch_3f902a6c28a5826e89c54f03627f06a5', now, 1, 1, now, 'request', 'attempt', 1,
    'approved', 'completed'
FROM batch
ON CONFLICT DO NOTHING;
COMMIT;
