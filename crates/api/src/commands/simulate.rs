//! `payonce simulate`.

use payonce_simulation::{Failure, Options, Surroundings};

use super::serve::stop_signal;
use super::{print, runtime};
use crate::cli::{CommandError, Sources};

/// Simulates clients until they have paid, SIGTERM or SIGINT; fails where a promise was broken
/// or a payment did not end.
pub(crate) fn simulate(sources: &Sources, options: &Options) -> Result<(), CommandError> {
    let failed = |error| CommandError::failed("simulating", error);
    let binary = std::env::current_exe().map_err(failed)?;
    let around = Surroundings { binary, files: sources.files.clone() };
    let summary = runtime()?.block_on(async {
        let stop = stop_signal().map_err(failed)?;
        payonce_simulation::simulate(options, &around, stop).await.map_err(CommandError::from)
    })?;
    print(summary.lines())?;
    summary.failure().map_or(Ok(()), |failure| Err(CommandError::Failed(failure)))
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Usage(what) => Self::Usage(what),
            Failure::Failed(what) => Self::Failed(what),
        }
    }
}
