//! The listener: from a bound socket to a drained service.

use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use socket2::SockRef;
use tokio::time::{Instant, sleep, timeout_at};

use crate::api::Api;
use crate::http::{Document, Readiness, RequestDeadline, around_routes, no_such_route, routes};
use crate::opening::open;
use crate::settings::{Settings, SettingsError};
use crate::telemetry::watch_backlog;
use crate::tls;
use crate::wiring::Service;
use crate::workers::{Workers, hear_news};

/// How long a client may take to send its request's head, and an idle connection lives.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long after it was told so nobody accepts connections any more.
const ACCEPTING_ENDS: Duration = Duration::from_millis(50);

/// Serves until `stop` resolves, then drains: no new connections, 503 for further requests,
/// payments under way end. Returns false when the drain ran out of time.
pub async fn serve(
    settings: &Settings,
    service: Service,
    listener: TcpListener,
    readiness: Readiness,
    workers: Option<Workers>,
    stop: impl Future<Output = ()>,
) -> std::io::Result<bool> {
    let (api, shared_readiness) = (service.api.clone(), readiness.clone());
    let document =
        web::Data::new(Document::new(api.fake_gateway.is_some(), api.authentication.is_some())?);
    let request_timeout = settings.server.request_timeout;
    let app = move || {
        // One for each thread: a count of uses that threads share goes from one to the other with every
        // request.
        let account = api.account.in_mode(api.account.mode());
        let (api, gateway) = (Api { account, ..api.clone() }, api.fake_gateway.clone());
        App::new()
            .app_data(web::Data::new(api))
            .app_data(web::Data::new(shared_readiness.clone()))
            .app_data(document.clone())
            .app_data(web::Data::new(RequestDeadline(request_timeout)))
            .configure(|config| routes(config, gateway.as_ref()))
            .default_service(web::to(no_such_route))
            .wrap(from_fn(around_routes))
    };
    let server = HttpServer::new(app)
        .workers(settings.server.worker_threads())
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(settings.server.drain_timeout.as_secs())
        .disable_signals();
    let tls = tls::of_listener(&settings.server.tls).map_err(std::io::Error::other)?;
    let listening = listener.try_clone()?;
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?.run(),
        None => server.listen(listener)?.run(),
    };
    let door = Door { server: server.handle(), listener: listening };
    let served = tokio::spawn(server);
    let news = tokio::spawn(hear_news(&service));
    let backlog = tokio::spawn(watch_backlog(&service, readiness.clone()));
    let ended = open_until(settings, &service, &readiness, stop).await;
    let is_drained = drain(settings, &service, &readiness, workers, &door).await;
    news.abort();
    backlog.abort();
    served.await??;
    ended.map(|()| is_drained).map_err(std::io::Error::other)
}

/// Where connections come in.
struct Door {
    server: ServerHandle,
    listener: TcpListener,
}

impl Door {
    /// Refuses further connections; those that are there go on.
    async fn close(&self) {
        self.server.pause().await;
        // The thread that accepts hears of it a moment later, and would log an error if the
        // listener were gone before.
        sleep(ACCEPTING_ENDS).await;
        // Else they would queue for a server that accepts none. Where a system does not know it
        // they do, until the process ends.
        let _closed = SockRef::from(&self.listener).shutdown(Shutdown::Both);
    }
}

async fn drain(
    settings: &Settings,
    service: &Service,
    readiness: &Readiness,
    workers: Option<Workers>,
    door: &Door,
) -> bool {
    tracing::info!("draining");
    let deadline = Instant::now() + settings.server.drain_timeout;
    readiness.drain();
    service.tasks.close();
    let all_done = async {
        door.close().await;
        readiness.emptied().await;
        if let Some(workers) = workers {
            workers.drain().await;
        }
        service.tasks.wait().await;
        // Last: payments run on the threads that end now.
        door.server.stop(true).await;
    };
    let is_drained = timeout_at(deadline, all_done).await.is_ok();
    if !is_drained {
        let left = service.tasks.len();
        tracing::warn!(
            payments = left,
            "the drain ran out of time; recovery goes on with the rest"
        );
        door.server.stop(false).await;
    }
    service.store.upkeep.close();
    is_drained
}

/// Runs the workers alone until `stop` resolves, then drains them. Returns false when the drain
/// ran out of time.
pub async fn work(
    settings: &Settings,
    service: Service,
    readiness: Readiness,
    stop: impl Future<Output = ()>,
) -> Result<bool, SettingsError> {
    let workers = Workers::start(settings, &service, &readiness);
    let ended = open_until(settings, &service, &readiness, stop).await;
    service.tasks.close();
    let all_done = async {
        workers.drain().await;
        service.tasks.wait().await;
    };
    let is_drained = tokio::time::timeout(settings.server.drain_timeout, all_done).await.is_ok();
    service.store.upkeep.close();
    ended.map(|()| is_drained)
}

/// Opens the service, and returns when `stop` resolves or when it can never be open.
async fn open_until(
    settings: &Settings,
    service: &Service,
    readiness: &Readiness,
    stop: impl Future<Output = ()>,
) -> Result<(), SettingsError> {
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => return Ok(()),
        opened = open(settings, &service.store, readiness) => opened?,
    }
    stop.await;
    Ok(())
}
