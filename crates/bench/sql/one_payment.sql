-- The two transactions of one payment, statement by statement, with the rows that the service writes; the bench compares
-- their number and size. Identifiers grow with time, as the service's do (`count` begins on the command line); keys are
-- in no order.
\set count :count + 1
\set client 100 + :client_id
\set chance random(1000000000000000, 8999999999999999)
\set key random(1000000000000000, 8999999999999999)
BEGIN;
INSERT INTO idempotency_records (account_id, key_space, key, generation, subject, payment_id, fingerprint_version,
    fingerprint, request_id, fence, opening_fence, state, due_at, is_awaited, first_seen_at, last_seen_at)
VALUES ('default', 'key', :key::text || '-fresh-0-12345', 1, 'payment',
    (:count::text || :client::text || :chance::text)::uuid, 1,
    '\x5f0f5b0c8a3e2d1c4b5a69788796a5b4c3d2e1f00112233445566778899aabbc', '01a1fdeb-6164-7700-8874-1b48ca4b8df4', 1, 1,
    'running', clock_timestamp() + interval '20 s', false, clock_timestamp(), clock_timestamp())
ON CONFLICT DO NOTHING;
SELECT * FROM idempotency_records
WHERE account_id = 'default' AND key_space = 'key' AND key = :key::text || '-fresh-0-12345' FOR UPDATE;
INSERT INTO payments (account_id, id, key_space, key, generation, operation, status, amount_minor, currency,
    payment_method, description, metadata, gateway_kind, gateway_base_url, gateway_account, gateway_key,
    gateway_request, attempts, first_sent_at, created_at, opening_fence)
VALUES ('default', (:count::text || :client::text || :chance::text)::uuid, 'key', :key::text || '-fresh-0-12345', 1,
    'create_payment', 'PROCESSING', 10000, 'USD', 'pm_card_visa', 'Two books and a pen, gift wrapped.', '{}',
    'simulated', '', '', (:chance::text || :key::text)::uuid,
    '{"amount":"100.00","currency":"USD","reference":"01a1fdeb-6164-7700-8874-1b49e96ad766","payment_method":"pm_card_visa"}',
    1, clock_timestamp(), clock_timestamp(), 1)
ON CONFLICT DO NOTHING;
COMMIT;
BEGIN;
SELECT * FROM idempotency_records
WHERE account_id = 'default' AND key_space = 'key' AND key = :key::text || '-fresh-0-12345' FOR UPDATE;
UPDATE idempotency_records
SET state = 'settled', due_at = NULL, settled_at = clock_timestamp(),
    expires_at = clock_timestamp() + interval '1 day', answer_status = 201, answer_content_type = 'application/json',
    answer_location = '/v1/payments/01a1fdeb-6164-7700-8874-1b49e96ad766',
    answer_body = '{"id":"01a1fdeb-6164-7700-8874-1b49e96ad766","status":"COMPLETED","amount":"100.00","currency":"USD","payment_method":"pm_card_visa","reference": null,"description":"Two books and a pen, gift wrapped.","metadata":{},"gateway":"simulated","gateway_reference":"ch_3f902a6c28a5826e89c54f03627f06a5","attempts":1,"failure": null,"created_at":"2026-11-21T11:43:43.973786Z","completed_at":"2026-11-21T11:43:44.028400Z"}'
WHERE account_id = 'default' AND key_space = 'key' AND key = :key::text || '-fresh-0-12345';
INSERT INTO payment_outcomes (account_id, payment_id, status, gateway_reference, completed_at, fence, step, at, actor,
    kind, attempt, detail, followed_by)
VALUES ('default', (:count::text || :client::text || :chance::text)::uuid, 'COMPLETED',
    'ch_3f902a6c28a5826e89c54f03627f06a5', clock_timestamp(), 1, 1, clock_timestamp(), 'request', 'attempt', 1,
    'approved', 'completed')
ON CONFLICT DO NOTHING;
COMMIT;
