//! The commands, one a file.

mod config;
mod keys;
mod migrate;
mod payments;
mod serve;
mod transactions;
mod work;

pub(crate) use config::config;
pub(crate) use keys::keys;
pub(crate) use migrate::migrate;
pub(crate) use payments::payments;
pub(crate) use serve::serve;
pub(crate) use transactions::transactions;
pub(crate) use work::work;

use tokio::runtime::Runtime;

use crate::cli::CommandError;

/// Everything but the HTTP threads runs here.
fn runtime() -> Result<Runtime, CommandError> {
    Runtime::new().map_err(|error| CommandError::failed("starting the runtime", error))
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
