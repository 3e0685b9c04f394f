//! The listener: from a bound socket to a drained service.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::{NormalizePath, TrailingSlash, from_fn};
use actix_web::{App, HttpServer, web};
use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::{Instant, timeout_at};

use crate::http::{
    Readiness, RequestDeadline, close_while_not_ready, in_request_scope, no_such_route, routes,
};
use crate::settings::Settings;
use crate::wiring::{Service, Store};

/// How long a client may take to send its request's head, and an idle connection lives.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Serves until `stop` resolves, then drains: no new connections, 503 for further requests,
/// payments under way end. Returns false when the drain ran out of time.
pub async fn serve(
    settings: &Settings,
    service: Service,
    listener: TcpListener,
    readiness: Readiness,
    stop: impl Future<Output = ()>,
) -> std::io::Result<bool> {
    let api = web::Data::new(service.api.clone());
    let shared_readiness = web::Data::new(readiness.clone());
    let request_timeout = settings.server.request_timeout;
    let app = move || {
        App::new()
            .app_data(api.clone())
            .app_data(shared_readiness.clone())
            .app_data(web::Data::new(RequestDeadline(request_timeout)))
            .configure(routes)
            .default_service(web::to(no_such_route))
            .wrap(from_fn(close_while_not_ready))
            .wrap(from_fn(in_request_scope))
            .wrap(NormalizePath::new(TrailingSlash::Trim))
    };
    let server = HttpServer::new(app)
        .workers(settings.server.worker_threads())
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(settings.server.drain_timeout.as_secs())
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    let served = tokio::spawn(server);
    let opening = tokio::spawn(open(settings.clone(), service.store.clone(), readiness.clone()));
    stop.await;
    opening.abort();
    let is_drained = drain(settings, &service, &readiness, &handle).await;
    served.await??;
    Ok(is_drained)
}

async fn drain(
    settings: &Settings,
    service: &Service,
    readiness: &Readiness,
    server: &ServerHandle,
) -> bool {
    tracing::info!("draining");
    let deadline = Instant::now() + settings.server.drain_timeout;
    readiness.drain();
    service.tasks.close();
    let all_done = async {
        server.stop(true).await;
        service.tasks.wait().await;
    };
    let is_drained = timeout_at(deadline, all_done).await.is_ok();
    if !is_drained {
        let left = service.tasks.len();
        tracing::warn!(
            payments = left,
            "the drain ran out of time; recovery goes on with the rest"
        );
        server.stop(false).await;
    }
    service.store.schema.close();
    is_drained
}

/// Opens the service once its database is there and migrated; keeps trying until it is.
async fn open(settings: Settings, store: Store, readiness: Readiness) {
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .build();
    loop {
        match prepare(&settings, &store).await {
            Ok(()) => {
                readiness.open();
                tracing::info!("ready");
                return;
            }
            Err((reason, cause)) => {
                readiness.not_yet(reason);
                tracing::warn!(reason, cause, "not ready yet");
            }
        }
        tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(2))).await;
    }
}

async fn prepare(settings: &Settings, store: &Store) -> Result<(), (&'static str, String)> {
    if settings.migrate_on_start() {
        let applied =
            store.schema.migrate_up().await.map_err(|error| {
                ("the database cannot be reached or migrated", error.to_string())
            })?;
        for migration in applied {
            tracing::info!(migration, "migrated");
        }
    }
    store.queries.check().await.map_err(|error| {
        ("the database cannot be reached or is not migrated", format!("{error:?}"))
    })
}
