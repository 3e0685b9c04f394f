-- Settled payments as the service leaves them, made over the last hour; the numbers are put in for the words with a
-- colon. Identifiers grow with time, keys are in no order.
CREATE TEMP TABLE stored AS
SELECT n, md5(n::text) AS chance, ('017' || lpad(to_hex(n), 9, '0') || substr(md5(n::text), 1, 20))::uuid AS id,
    clock_timestamp() - interval '1 hour' + interval '1 us' * n AS at
FROM generate_series(:first, :last) AS n;

INSERT INTO idempotency_records (account_id, key_space, key, generation, subject, payment_id, fingerprint_version,
    fingerprint, request_id, fence, opening_fence, state, is_awaited, first_seen_at, last_seen_at, settled_at, expires_at,
    answer_status, answer_content_type, answer_location, answer_body)
SELECT 'default', 'key', substr(chance, 1, 16) || '-stored-' || n, 1, 'payment', id, 1, sha256(chance::bytea),
    chance::uuid::text, 1, 1, 'settled', false, at, at, at, at + interval '1 day', 201, 'application/json',
    '/v1/payments/' || id,
    convert_to('{"id":"' || id || '","status":"COMPLETED","amount":"100.00","currency":"USD","payment_method":"pm_card_visa","reference":null,"description":"Two books and a pen, gift wrapped.","metadata":{},"gateway":"simulated","gateway_reference":"ch_' || chance || '","attempts":1,"failure":null,"created_at":"2026-11-21T11:43:43.973786Z","completed_at":"2026-11-21T11:43:44.028400Z"}', 'UTF8')
FROM stored ORDER BY n;

INSERT INTO payments (account_id, id, key_space, key, generation, operation, status, amount_minor, currency,
    payment_method, description, metadata, gateway_kind, gateway_base_url, gateway_account, gateway_key, gateway_request,
    attempts, first_sent_at, created_at, opening_fence)
SELECT 'default', id, 'key', substr(chance, 1, 16) || '-stored-' || n, 1, 'create_payment', 'PROCESSING', 10000, 'USD',
    'pm_card_visa', 'Two books and a pen, gift wrapped.', '{}', 'simulated', '', '', chance::uuid,
    convert_to('{"amount":"100.00","currency":"USD","reference":"' || id || '","payment_method":"pm_card_visa"}', 'UTF8'),
    1, at, at, 1
FROM stored ORDER BY n;

INSERT INTO payment_outcomes (account_id, payment_id, status, gateway_reference, completed_at, fence, step, at, actor,
    kind, attempt, detail, followed_by)
SELECT 'default', id, 'COMPLETED', 'ch_' || chance, at, 1, 1, at, 'request', 'attempt', 1, 'approved', 'completed'
FROM stored ORDER BY n;

DROP TABLE stored;
