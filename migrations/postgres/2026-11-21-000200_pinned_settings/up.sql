-- Settings that must stay what they were when the database was first used, as check values that
-- do not give the settings away.
CREATE TABLE pinned_settings (
    name text NOT NULL PRIMARY KEY,
    check_value text NOT NULL
);
