DROP TABLE transaction_conflicts;
DROP TABLE transactions;
