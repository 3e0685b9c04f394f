//! Measures the release binary under load, on a private database, in rounds that alternate what is
//! compared, so that a busy machine spoils both sides alike.
//!
//! It is a client: it knows the wire and the tables, and must know nothing of the service's code.
#![expect(clippy::print_stdout, reason = "its tables are what it is for")]
#![expect(clippy::float_arithmetic, reason = "ratios of durations, never amounts")]

mod bare;
mod books;
mod connection;
mod herd;
mod service;
mod statistics;
mod suite;
mod sweep;
mod traffic;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Why a measurement came to nothing, or what it found broken.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures a release build of `payonce`; build that first.
#[derive(Debug, Parser)]
#[command(name = "payonce-bench", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    /// Everything that is set a goal, in one run; `scripts/bench` prepares what it needs.
    Suite(suite::Suite),
    /// Serves the handler that replays are measured against.
    #[command(hide = true)]
    Bare(bare::Bare),
    /// Many clients on one fresh key, while other keys are paid at a steady rate.
    Herd(herd::Herd),
    /// A sweep over very many expired keys, while fresh payments are made at a steady rate.
    Sweep(sweep::Sweep),
}

/// One thread: the client's share of the machine stays small and the same.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let measured = match Cli::parse().measurement {
        Measurement::Suite(suite) => suite.measure().await,
        Measurement::Bare(bare) => bare.serve().await,
        Measurement::Herd(herd) => herd.measure().await,
        Measurement::Sweep(sweep) => sweep.measure().await,
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("payonce-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
