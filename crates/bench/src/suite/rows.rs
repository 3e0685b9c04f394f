//! Whether pgbench writes what the service writes: as many rows for each payment, about as large.

use std::fmt::{self, Display, Formatter};

use super::database::Database;
use crate::Failure;

/// What a payment consists of.
const TABLES: [&str; 3] = ["idempotency_records", "payments", "payment_outcomes"];

/// How much larger or smaller one side's rows may be.
const TOLERANCE: f64 = 0.1;

/// What a payment leaves in each table, in rows and bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rows([(f64, f64); TABLES.len()]);

impl Rows {
    /// Counts, once nothing is under way any more.
    pub fn of(database: &Database) -> Result<Self, Failure> {
        let payments = database.number("SELECT count(*) AS n FROM payments")?;
        if payments == 0 {
            return Err("no payment was made".into());
        }
        let mut rows = [(0.0, 0.0); TABLES.len()];
        for (table, place) in TABLES.iter().zip(&mut rows) {
            let count = database.number(&format!("SELECT count(*) AS n FROM {table}"))?;
            let bytes = database.number(&format!(
                "SELECT coalesce(sum(pg_column_size(it.*)), 0)::bigint AS n FROM {table} AS it"
            ))?;
            *place = (count as f64 / payments as f64, bytes as f64 / payments as f64);
        }
        Ok(Self(rows))
    }

    /// Fails where the other side's are others.
    pub fn must_equal(&self, others: &Self) -> Result<(), Failure> {
        let is_equal = self.0.iter().zip(&others.0).all(|((rows, bytes), (other, others))| {
            rows == other && (bytes / others - 1.0).abs() <= TOLERANCE
        });
        match is_equal {
            true => Ok(()),
            false => Err(format!(
                "pgbench does not write what the service writes, so their ratio says nothing; for \
                 each payment the service writes {self}, pgbench {others}"
            )
            .into()),
        }
    }
}

impl Display for Rows {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, (table, (rows, bytes))) in TABLES.iter().zip(&self.0).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{table} {rows:.2} rows of {bytes:.0} bytes")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: Rows = Rows([(1.0, 700.0), (1.0, 500.0), (1.0, 120.0)]);

    #[test]
    fn the_same_rows_of_about_the_same_size_are_equal() {
        let pgbench = Rows([(1.0, 690.0), (1.0, 520.0), (1.0, 116.0)]);
        assert!(SERVICE.must_equal(&pgbench).is_ok());
    }

    #[test]
    fn a_row_less_is_a_failure_that_names_both_sides() {
        let pgbench = Rows([(1.0, 700.0), (1.0, 500.0), (0.0, 0.0)]);
        let failure = SERVICE.must_equal(&pgbench).unwrap_err().to_string();
        assert!(failure.contains("payment_outcomes 1.00 rows"), "{failure}");
        assert!(failure.contains("payment_outcomes 0.00 rows"), "{failure}");
    }

    #[test]
    fn smaller_rows_are_a_failure() {
        let pgbench = Rows([(1.0, 500.0), (1.0, 500.0), (1.0, 120.0)]);
        assert!(SERVICE.must_equal(&pgbench).is_err());
    }
}
