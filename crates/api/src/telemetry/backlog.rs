//! Gauges of what is unsettled, refreshed in the background: showing them asks no database.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, describe_gauge, gauge};
use payonce_domain::ports::{
    Backlog, BacklogQueries, RepositoryError, TransactionBacklog, TransactionRepository,
    UnsettledState,
};
use tokio::time::Instant;

use crate::http::Readiness;
use crate::wiring::Service;

/// Between two looks at the database.
const INTERVAL: Duration = Duration::from_secs(5);

const UNSETTLED: &str = "payonce_unsettled_payments";
const OLDEST: &str = "payonce_unsettled_oldest_age_seconds";
const DEPTH: &str = "payonce_queue_depth";
const LAG: &str = "payonce_queue_lag_seconds";
const DEAD: &str = "payonce_dead_transactions";
const AGE: &str = "payonce_backlog_age_seconds";

/// Keeps the gauges fresh until it is dropped.
pub fn watch_backlog(
    service: &Service,
    readiness: Readiness,
) -> impl Future<Output = ()> + Send + use<> {
    let (metrics, store) = (Arc::clone(&service.metrics), Arc::clone(&service.store.backlog));
    let transactions = Arc::clone(&service.store.transactions);
    let gauges = metrics.record(Gauges::new);
    let mut looked_at = Instant::now();
    async move {
        loop {
            if readiness.is_open() {
                match look(&*store, &*transactions).await {
                    Ok((backlog, queue)) => {
                        looked_at = Instant::now();
                        gauges.set(&backlog, &queue);
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

async fn look(
    payments: &dyn BacklogQueries,
    transactions: &dyn TransactionRepository,
) -> Result<(Backlog, TransactionBacklog), RepositoryError> {
    Ok((payments.backlog().await?, transactions.backlog().await?))
}

/// While the service is not ready yet.
const UNTIL_READY: Duration = Duration::from_millis(200);

struct Gauges {
    by_state: [(UnsettledState, Gauge, Gauge); UnsettledState::ALL.len()],
    payments: QueueGauges,
    transactions: QueueGauges,
    dead: Gauge,
    age: Gauge,
}

/// One queue.
struct QueueGauges {
    depth: Gauge,
    lag: Gauge,
}

impl QueueGauges {
    fn of(queue: &'static str) -> Self {
        Self { depth: gauge!(DEPTH, "queue" => queue), lag: gauge!(LAG, "queue" => queue) }
    }

    fn set(&self, due: u64, lag: Duration) {
        self.depth.set(float(due));
        self.lag.set(lag);
    }
}

impl Gauges {
    fn new() -> Self {
        describe_gauge!(UNSETTLED, "Payments that are not final, by why.");
        describe_gauge!(OLDEST, "How long ago the oldest payment in the state was created.");
        describe_gauge!(DEPTH, "What the queue's workers could take now.");
        describe_gauge!(LAG, "How long the first of what the workers could take has been due.");
        describe_gauge!(
            DEAD,
            "Transactions that failed at every attempt and wait for an operator."
        );
        describe_gauge!(AGE, "How long ago the unsettled payments were last counted.");
        let of_state = |state: UnsettledState| {
            let label = state.as_str();
            (state, gauge!(UNSETTLED, "state" => label), gauge!(OLDEST, "state" => label))
        };
        Self {
            by_state: UnsettledState::ALL.map(of_state),
            payments: QueueGauges::of("payments"),
            transactions: QueueGauges::of("transactions"),
            dead: gauge!(DEAD),
            age: gauge!(AGE),
        }
    }

    fn set(&self, backlog: &Backlog, queue: &TransactionBacklog) {
        for (state, payments, oldest) in &self.by_state {
            let counted = backlog.unsettled.iter().find(|counted| counted.state == *state);
            payments.set(float(counted.map_or(0, |counted| counted.payments)));
            oldest.set(counted.map_or(Duration::ZERO, |counted| counted.oldest));
        }
        self.payments.set(backlog.due, backlog.lag);
        self.transactions.set(queue.due, queue.oldest_due_for);
        self.dead.set(float(queue.dead));
    }
}

/// Gauges are floats; a count beyond what 32 bits hold is not told apart any more.
fn float(count: u64) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}
