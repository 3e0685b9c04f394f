//! Gauges of what is unsettled, refreshed in the background: showing them asks no database.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, describe_gauge, gauge};
use payonce_domain::ports::{Backlog, UnsettledState};
use tokio::time::Instant;

use crate::http::Readiness;
use crate::wiring::Service;

/// Between two looks at the database.
const INTERVAL: Duration = Duration::from_secs(5);

const UNSETTLED: &str = "payonce_unsettled_payments";
const OLDEST: &str = "payonce_unsettled_oldest_age_seconds";
const DEPTH: &str = "payonce_queue_depth";
const LAG: &str = "payonce_queue_lag_seconds";
const AGE: &str = "payonce_backlog_age_seconds";

/// Keeps the gauges fresh until it is dropped.
pub fn watch_backlog(
    service: &Service,
    readiness: Readiness,
) -> impl Future<Output = ()> + Send + use<> {
    let (metrics, store) = (Arc::clone(&service.metrics), Arc::clone(&service.store.backlog));
    let gauges = metrics.record(Gauges::new);
    let mut looked_at = Instant::now();
    async move {
        loop {
            if readiness.is_open() {
                match store.backlog().await {
                    Ok(backlog) => {
                        looked_at = Instant::now();
                        gauges.set(&backlog);
                    }
                    Err(error) => tracing::debug!(?error, "the backlog could not be counted"),
                }
            }
            gauges.age.set(looked_at.elapsed());
            metrics.add_up();
            tokio::time::sleep(if readiness.is_open() { INTERVAL } else { UNTIL_READY }).await;
        }
    }
}

/// While the service is not ready yet.
const UNTIL_READY: Duration = Duration::from_millis(200);

struct Gauges {
    by_state: [(UnsettledState, Gauge, Gauge); UnsettledState::ALL.len()],
    depth: Gauge,
    lag: Gauge,
    age: Gauge,
}

impl Gauges {
    fn new() -> Self {
        describe_gauge!(UNSETTLED, "Payments that are not final, by why.");
        describe_gauge!(OLDEST, "How long ago the oldest payment in the state was created.");
        describe_gauge!(DEPTH, "What the queue's workers could take now.");
        describe_gauge!(LAG, "How long the first of what the workers could take has been due.");
        describe_gauge!(AGE, "How long ago the unsettled payments were last counted.");
        let of_state = |state: UnsettledState| {
            let label = state.as_str();
            (state, gauge!(UNSETTLED, "state" => label), gauge!(OLDEST, "state" => label))
        };
        Self {
            by_state: UnsettledState::ALL.map(of_state),
            depth: gauge!(DEPTH, "queue" => "payments"),
            lag: gauge!(LAG, "queue" => "payments"),
            age: gauge!(AGE),
        }
    }

    fn set(&self, backlog: &Backlog) {
        for (state, payments, oldest) in &self.by_state {
            let counted = backlog.unsettled.iter().find(|counted| counted.state == *state);
            payments.set(float(counted.map_or(0, |counted| counted.payments)));
            oldest.set(counted.map_or(Duration::ZERO, |counted| counted.oldest));
        }
        self.depth.set(float(backlog.due));
        self.lag.set(backlog.lag);
    }
}

/// Gauges are floats; a count beyond what 32 bits hold is not told apart any more.
fn float(count: u64) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}
