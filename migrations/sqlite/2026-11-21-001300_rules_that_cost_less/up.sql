-- SQLite compiles its checks once for each prepared statement: there is nothing to be done.
SELECT 1;
