//! Payments that were settled before, a million at a time, in the shape in which the service
//! leaves them.

use super::database::Database;
use crate::Failure;

/// Stores the million of that number.
pub fn store_million(database: &Database, number: u32) -> Result<(), Failure> {
    let first = i64::from(number) * 1_000_000 + 1;
    let statements = include_str!("../../sql/stored_million.sql")
        .replace(":first", &first.to_string())
        .replace(":last", &(first + 999_999).to_string());
    database.run(&[&statements])
}

/// What a database that has been in use for a while has behind it.
pub fn rest(database: &Database) -> Result<(), Failure> {
    database.run(&[
        "VACUUM ANALYZE idempotency_records",
        "VACUUM ANALYZE payments",
        "VACUUM ANALYZE payment_outcomes",
        "CHECKPOINT",
    ])
}
