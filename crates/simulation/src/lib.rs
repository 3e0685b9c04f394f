//! Clients that pay, retry and repeat themselves, and the judgement of what came of it.
//!
//! It is a client: it knows the wire and the gateway's protocol, and must know nothing of the
//! service's code. A service of its own is a process of the binary that it is given.
#![expect(clippy::float_arithmetic, reason = "shares and rates, never amounts")]

mod books;
mod client;
mod histograms;
mod options;
mod page;
mod plan;
mod plots;
mod process;
mod progress;
mod run;
mod services;
mod story;
mod summary;
mod tally;
mod verdict;
mod wire;

pub use options::Options;
pub use run::{Surroundings, simulate};
pub use summary::Summary;

/// Why a simulation came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was asked for wrongly.
    #[error("{0}")]
    Usage(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// A failure with what was being done.
    fn failed(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{doing}: {error}"))
    }
}
