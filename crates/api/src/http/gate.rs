//! Lets requests in while the service is ready for them, and knows how many are inside.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::web;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::problem::{Code, Problem};

/// Whether the service takes requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Not yet, for this reason.
    Starting(&'static str),
    /// Yes.
    Ready,
    /// Not any more.
    Draining,
}

/// The stage that the service is in; every clone sees the same.
#[derive(Debug, Clone)]
pub struct Readiness {
    stage: Arc<watch::Sender<Stage>>,
    requests: TaskTracker,
}

impl Default for Readiness {
    fn default() -> Self {
        let stage = watch::Sender::new(Stage::Starting("the database was not reached yet"));
        Self { stage: Arc::new(stage), requests: TaskTracker::new() }
    }
}

impl Readiness {
    /// Tells why the service is not ready; a draining service stays so.
    pub fn not_yet(&self, reason: &'static str) {
        self.go_to(Stage::Starting(reason));
    }

    /// Opens the service; a draining one stays so.
    pub fn open(&self) {
        self.go_to(Stage::Ready);
    }

    /// Closes the service for good.
    pub fn drain(&self) {
        self.stage.send_replace(Stage::Draining);
    }

    /// Lets a request in until it drops what it gets; fails while the service takes none.
    pub fn enter(&self) -> Result<TaskTrackerToken, Problem> {
        // Counted before it looks: whoever drains then either waits for it or has refused it.
        let inside = self.requests.token();
        self.check().map(|()| inside)
    }

    /// Resolves once the service drains and no request is inside.
    pub async fn emptied(&self) {
        self.drained().await;
        self.requests.close();
        self.requests.wait().await;
    }

    fn go_to(&self, next: Stage) {
        self.stage.send_if_modified(|stage| {
            let may_change = *stage != Stage::Draining && *stage != next;
            if may_change {
                *stage = next;
            }
            may_change
        });
    }

    /// Whether the service takes requests.
    pub fn is_open(&self) -> bool {
        *self.stage.borrow() == Stage::Ready
    }

    /// Resolves once the service goes down.
    pub async fn drained(&self) {
        let mut stage = self.stage.subscribe();
        // It cannot fail: the sender lives as long as this handle.
        let _stage = stage.wait_for(|stage| *stage == Stage::Draining).await;
    }

    /// Fails while the service takes no requests.
    pub fn check(&self) -> Result<(), Problem> {
        match &*self.stage.borrow() {
            Stage::Ready => Ok(()),
            Stage::Starting(reason) => Err(Problem::new(Code::StoreUnavailable)
                .detail(format!("The service is starting: {reason}. Repeat the request."))
                .retry_after(Duration::from_secs(1))),
            Stage::Draining => Err(Problem::new(Code::ShuttingDown)
                .retry_after(Duration::from_secs(1))
                .closing_connection()),
        }
    }
}

/// Lets a request in until what it gets is dropped, which health (`/` among it) and metrics need not
/// have; refuses the others while the service is not ready.
pub fn enter(request: &ServiceRequest) -> Result<Option<TaskTrackerToken>, Problem> {
    let is_always_open =
        matches!(request.path().trim_end_matches('/'), "" | "/healthz" | "/readyz" | "/metrics");
    if is_always_open {
        return Ok(None);
    }
    let readiness = request.app_data::<web::Data<Readiness>>();
    readiness.map(|readiness| readiness.enter()).transpose()
}
