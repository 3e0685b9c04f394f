//! What is in the tables, the referee of a measurement; knows no HTTP.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::Failure;

/// One number that a statement returns.
#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Counts on the store of that URL; the statement names its column `n`.
pub fn count(url: &str, statement: &str) -> Result<i64, Failure> {
    let row: Number = match url.strip_prefix("sqlite://") {
        Some(path) => {
            diesel::sql_query(statement).get_result(&mut SqliteConnection::establish(path)?)?
        }
        None => diesel::sql_query(statement).get_result(&mut PgConnection::establish(url)?)?,
    };
    Ok(row.n)
}

/// One text that a statement returns.
#[derive(QueryableByName)]
struct Words {
    #[diesel(sql_type = Text)]
    t: String,
}

/// Reads from the server of that URL; the statement names its column `t`.
pub fn text(url: &str, statement: &str) -> Result<String, Failure> {
    let row: Words = diesel::sql_query(statement).get_result(&mut PgConnection::establish(url)?)?;
    Ok(row.t)
}
