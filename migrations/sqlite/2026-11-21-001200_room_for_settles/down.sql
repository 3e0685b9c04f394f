-- SQLite writes a row back in its place: there is nothing to be done.
SELECT 1;
