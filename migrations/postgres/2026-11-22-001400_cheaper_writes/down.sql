DROP TYPE record_to_insert, payment_to_insert, record_to_settle, payment_to_finish, event_to_insert,
    transaction_to_insert;
