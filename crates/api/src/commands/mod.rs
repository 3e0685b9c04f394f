//! The commands, one a file.

mod config;
mod migrate;
mod payments;
mod serve;
mod work;

pub(crate) use config::config;
pub(crate) use migrate::migrate;
pub(crate) use payments::payments;
pub(crate) use serve::serve;
pub(crate) use work::work;

use tokio::runtime::Runtime;

use crate::cli::CommandError;

/// Everything but the HTTP threads runs here.
fn runtime() -> Result<Runtime, CommandError> {
    Runtime::new().map_err(|error| CommandError::failed("starting the runtime", error))
}
