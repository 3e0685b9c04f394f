//! The rows of a payment without the service: pgbench writes them, and its log of every
//! transaction has the latencies.

use std::fs::{self, read_to_string, write};
use std::path::{Path, PathBuf};
use std::process::Command;

use hdrhistogram::Histogram;
use tempfile::TempDir;

use super::cell::Script;
use super::figures::{Figure, Figures};
use crate::Failure;
use crate::service::printed;

/// Payments in one batched transaction; the script writes as many.
const BATCH: f64 = 64.0;

/// Without them a batch is joined to whole tables by hashes.
const PLANS: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
                     -c enable_hashjoin=off -c enable_mergejoin=off";

/// The scripts count from here: as many digits as an identifier has room for.
const FIRST_COUNT: &str = "--define=count=1000000000000";

/// Longer runs log one transaction of ten.
const LOG_ALL_FOR: u32 = 30;

/// Where pgbench is, and its scripts.
pub struct Pgbench {
    program: PathBuf,
    folder: PathBuf,
}

impl Pgbench {
    /// Writes the scripts into a folder.
    pub fn new(program: PathBuf, folder: &Path) -> Result<Self, Failure> {
        write(folder.join("one_payment.sql"), include_str!("../../sql/one_payment.sql"))?;
        write(folder.join("batch_of_64.sql"), include_str!("../../sql/batch_of_64.sql"))?;
        Ok(Self { program, folder: folder.to_owned() })
    }

    /// Pays for that long in a migrated database.
    pub async fn run(
        &self,
        script: Script,
        clients: u32,
        seconds: u32,
        database: &str,
    ) -> Result<Figures, Failure> {
        let logs = TempDir::new_in(&self.folder)?;
        let mut pgbench = Command::new(&self.program);
        pgbench
            .args(["--no-vacuum", "--protocol=prepared", "--log", FIRST_COUNT, "--file"])
            .arg(self.folder.join(match script {
                Script::Single => "one_payment.sql",
                Script::Batched => "batch_of_64.sql",
            }))
            .arg(format!("--log-prefix={}", logs.path().join("log").display()))
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={}", clients.min(2)))
            .arg(format!("--time={seconds}"));
        if seconds > LOG_ALL_FOR {
            pgbench.arg("--sampling-rate=0.1");
        }
        if script == Script::Batched {
            pgbench.env("PGOPTIONS", PLANS);
        }
        pgbench.arg(database);
        let output = printed(pgbench).await?;
        let payments = if script == Script::Batched { BATCH } else { 1.0 };
        let rate = transactions_a_second(&output)?;
        let mut figures = Figures::from([(Figure::PerSecond, rate * payments)]);
        let mut latencies = Histogram::<u64>::new(3)?;
        for entry in fs::read_dir(logs.path())? {
            record(&read_to_string(entry?.path())?, &mut latencies)?;
        }
        let milliseconds = |share| latencies.value_at_quantile(share) as f64 / 1e3;
        figures.extend([
            (Figure::P50Ms, milliseconds(0.5)),
            (Figure::P90Ms, milliseconds(0.9)),
            (Figure::P99Ms, milliseconds(0.99)),
            (Figure::LongestMs, milliseconds(1.0)),
        ]);
        Ok(figures)
    }
}

/// Reads `tps = 4834.1 (without initial connection time)`.
fn transactions_a_second(output: &str) -> Result<f64, Failure> {
    let rate = output.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rest| rest.split(' ').next());
    Ok(rate.ok_or_else(|| format!("pgbench told no rate: {output}"))?.parse()?)
}

/// Adds a log's transactions, one a line: client, number, microseconds, script, and when.
fn record(log: &str, latencies: &mut Histogram<u64>) -> Result<(), Failure> {
    for line in log.lines() {
        let took = line.split(' ').nth(2).ok_or_else(|| format!("no line of a log: {line}"))?;
        latencies.record(took.parse()?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_one_without_the_time_of_connecting() {
        let output = "pgbench (15.18)\nnumber of clients: 64\nlatency average = 13.239 ms\n\
            initial connection time = 91.513 ms\n\
            tps = 4834.123456 (without initial connection time)\n";
        assert_eq!(transactions_a_second(output).unwrap(), 4_834.123_456);
        assert!(transactions_a_second("pgbench: error: connection failed").is_err());
    }

    #[test]
    fn percentiles_are_those_of_the_logged_transactions() {
        let log: String =
            (1..=100).map(|n| format!("0 {n} {}000 0 1763740800 123456\n", n)).collect();
        let mut latencies = Histogram::new(3).unwrap();
        record(&log, &mut latencies).unwrap();
        assert_eq!(latencies.len(), 100);
        let within = |share, expected: u64| {
            let found = latencies.value_at_quantile(share);
            assert!(found.abs_diff(expected) <= expected / 500, "{found}, not {expected}");
        };
        within(0.5, 50_000);
        within(0.99, 99_000);
    }

    #[test]
    fn a_line_that_is_no_transaction_is_a_failure() {
        let mut latencies = Histogram::new(3).unwrap();
        assert!(record("0 1", &mut latencies).is_err());
        assert!(record("0 1 skipped 0 1 2", &mut latencies).is_err());
    }
}
