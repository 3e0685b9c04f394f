//! The commands, one a file.

mod config;
mod health;
mod keys;
mod migrate;
mod payments;
mod serve;
mod simulate;
mod transactions;
mod work;

pub(crate) use config::config;
pub(crate) use health::health;
pub(crate) use keys::keys;
pub(crate) use migrate::migrate;
pub(crate) use payments::payments;
pub(crate) use serve::serve;
pub(crate) use simulate::simulate;
pub(crate) use transactions::transactions;
pub(crate) use work::work;

use std::fmt::Display;
use std::io::Write;

use tokio::runtime::{Builder, Runtime};

use crate::cli::CommandError;

/// Everything runs here.
fn runtime() -> Result<Runtime, CommandError> {
    Runtime::new().map_err(|error| CommandError::failed("starting the runtime", error))
}

/// Everything but the HTTP threads runs here. It waits more than it works, and a second thread would be
/// woken by the first at each step.
fn runtime_beside_http() -> Result<Runtime, CommandError> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| CommandError::failed("starting the runtime", error))
}

/// What a command has to say, a line each.
fn print(lines: impl IntoIterator<Item = impl Display>) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}").map_err(|error| CommandError::failed("writing", error))?;
    }
    Ok(())
}

/// An error with what lies behind it.
fn chain(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}
