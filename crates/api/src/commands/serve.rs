//! `payonce serve`.

use std::net::TcpListener;

use tokio::signal::unix::{SignalKind, signal};

use super::runtime_beside_http;
use crate::cli::{CommandError, Sources};
use crate::http::Readiness;
use crate::server;
use crate::settings::Layers;
use crate::telemetry;
use crate::tls;
use crate::wiring::Service;
use crate::workers::Workers;

/// Serves until SIGTERM or SIGINT, then drains.
pub(crate) fn serve(sources: &Sources, with_workers: bool) -> Result<(), CommandError> {
    let settings = Layers::load(&sources.files)?.settings()?;
    tls::of_listener(&settings.server.tls)?;
    let runtime = runtime_beside_http()?;
    let _telemetry = telemetry::start(&settings.log, &settings.telemetry, runtime.handle())?;
    let address = (settings.server.host.as_str(), settings.server.port);
    let listener = TcpListener::bind(address).map_err(|error| {
        let doing = format!("listening on server.host {} server.port {}", address.0, address.1);
        CommandError::failed(&doing, error)
    })?;
    let failed = |error| CommandError::failed("serving", error);
    let is_drained = runtime.block_on(async {
        let service = Service::new(&settings)
            .map_err(|error| CommandError::failed("preparing the service", error))?;
        let bound = listener.local_addr().map_err(failed)?;
        tracing::info!(address = %bound, database = %settings.database.url, "serving");
        let stop = stop_signal().map_err(failed)?;
        let readiness = Readiness::default();
        let workers = with_workers.then(|| Workers::start(&settings, &service, &readiness));
        let served = server::serve(&settings, service, listener, readiness, workers, stop);
        served.await.map_err(failed)
    })?;
    match is_drained {
        true => Ok(()),
        false => Err(CommandError::Failed("the drain ran out of time".to_owned())),
    }
}

/// Resolves at the first SIGTERM or SIGINT.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
