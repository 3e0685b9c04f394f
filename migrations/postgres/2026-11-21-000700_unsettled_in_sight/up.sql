-- What waits for an operator, counted every few seconds.
CREATE INDEX idempotency_records_in_review ON idempotency_records (first_seen_at)
    WHERE state = 'in_review';
