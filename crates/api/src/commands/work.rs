//! `payonce work`.

use super::runtime;
use super::serve::stop_signal;
use crate::cli::{CommandError, Sources};
use crate::http::Readiness;
use crate::server;
use crate::settings::Layers;
use crate::telemetry;
use crate::wiring::Service;

/// Runs the workers until SIGTERM or SIGINT, then drains them.
pub(crate) fn work(sources: &Sources) -> Result<(), CommandError> {
    let settings = Layers::load(&sources.files)?.settings()?;
    let runtime = runtime()?;
    let _telemetry = telemetry::start(&settings.log, &settings.telemetry, runtime.handle())?;
    let is_drained = runtime.block_on(async {
        let service = Service::new(&settings)
            .map_err(|error| CommandError::failed("preparing the service", error))?;
        let stop = stop_signal().map_err(|error| CommandError::failed("working", error))?;
        tracing::info!(database = %settings.database.url, "working");
        Ok::<_, CommandError>(server::work(&settings, service, Readiness::default(), stop).await?)
    })?;
    match is_drained {
        true => Ok(()),
        false => Err(CommandError::Failed("the drain ran out of time".to_owned())),
    }
}
