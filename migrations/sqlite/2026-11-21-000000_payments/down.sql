DROP TABLE payment_events;
DROP TABLE payments;
DROP TABLE idempotency_records;
