DROP TABLE pinned_settings;
