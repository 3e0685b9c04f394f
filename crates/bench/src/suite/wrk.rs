//! Load by wrk: a script of ours makes the requests and tells at the end what came of them.

use std::fs::write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::figures::{Figure, Figures};
use crate::Failure;
use crate::service::printed;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub enum Script {
    /// Payments.
    Payments,
    /// Announced transactions.
    Webhooks,
}

/// Where wrk is, and its scripts.
pub struct Wrk {
    program: PathBuf,
    folder: PathBuf,
}

/// One run of it.
pub struct Load<'a> {
    /// What is sent.
    pub script: Script,
    /// What its keys have in common, and no other load's have.
    pub name: &'a str,
    /// The script's own setting.
    pub setting: Option<u32>,
    /// To whom.
    pub address: SocketAddr,
    /// Over how many connections.
    pub connections: u32,
    /// For how long.
    pub seconds: u32,
}

/// What the script tells; times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answers {
    /// Answered requests.
    pub requests: u64,
    duration: u64,
    /// Of them, those answered by an error.
    pub refused: u64,
    /// Connections that failed, and answers that did not come in time.
    pub broken: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    longest: u64,
}

impl Wrk {
    /// Writes the scripts into a folder.
    pub fn new(program: PathBuf, folder: &Path) -> Result<Self, Failure> {
        let done = include_str!("../../load/done.lua");
        for (name, script) in [
            ("payments.lua", include_str!("../../load/payments.lua")),
            ("webhooks.lua", include_str!("../../load/webhooks.lua")),
        ] {
            write(folder.join(name), format!("{script}{done}"))?;
        }
        Ok(Self { program, folder: folder.to_owned() })
    }

    /// Sends it.
    pub async fn send(&self, load: &Load<'_>) -> Result<Answers, Failure> {
        let script = match load.script {
            Script::Payments => "payments.lua",
            Script::Webhooks => "webhooks.lua",
        };
        // One thread: the client's share of the machine stays the same.
        let mut wrk = Command::new(&self.program);
        wrk.args(["-t1", "--latency", "--timeout", "20s"])
            .arg(format!("-c{}", load.connections))
            .arg(format!("-d{}s", load.seconds))
            .arg("-s")
            .arg(self.folder.join(script))
            .arg(format!("http://{}", load.address))
            .arg("--")
            .arg(load.name)
            .args(load.setting.map(|it| it.to_string()));
        answers(&printed(wrk).await?)
    }
}

/// Reads the script's line.
fn answers(output: &str) -> Result<Answers, Failure> {
    let line = output.lines().rfind(|line| line.starts_with('{'));
    let line = line.ok_or_else(|| format!("wrk told nothing: {output}"))?;
    Ok(serde_json::from_str(line)?)
}

impl Answers {
    /// As figures: a second's successes, latencies, and the share that failed.
    pub fn figures(&self) -> Figures {
        let milliseconds = |microseconds: u64| microseconds as f64 / 1e3;
        let failed = (self.refused + self.broken) as f64;
        let all = (self.requests + self.broken).max(1) as f64;
        let succeeded = self.requests.saturating_sub(self.refused) as f64;
        Figures::from([
            (Figure::PerSecond, succeeded / (self.duration.max(1) as f64 / 1e6)),
            (Figure::P50Ms, milliseconds(self.p50)),
            (Figure::P90Ms, milliseconds(self.p90)),
            (Figure::P99Ms, milliseconds(self.p99)),
            (Figure::LongestMs, milliseconds(self.longest)),
            (Figure::FailedShare, failed / all),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 4s test @ http://127.0.0.1:8000\n  1 threads and 64 connections\n\
        Requests/sec:   2500.00\n\
        {\"requests\":10000,\"duration\":4000000,\"refused\":1000,\"broken\":0,\
        \"p50\":1500,\"p90\":2500,\"p99\":9000,\"longest\":20000}\n";

    #[test]
    fn the_scripts_line_is_found_below_what_wrk_prints() {
        let answers = answers(OUTPUT).unwrap();
        assert_eq!(answers.requests, 10_000);
        assert_eq!(answers.refused, 1_000);
    }

    #[test]
    fn refused_requests_are_no_throughput() {
        let figures = answers(OUTPUT).unwrap().figures();
        assert_eq!(figures.get(&Figure::PerSecond), Some(&2_250.0));
        assert_eq!(figures.get(&Figure::FailedShare), Some(&0.1));
        assert_eq!(figures.get(&Figure::P99Ms), Some(&9.0));
    }

    #[test]
    fn output_without_the_line_is_a_failure() {
        assert!(answers("unable to connect to 127.0.0.1:1\n").is_err());
    }
}
