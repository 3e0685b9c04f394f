//! The worker of announced transactions.

use std::future::Future;
use std::time::Duration;

use payonce_domain::use_cases::{
    BegunTransactions, ProcessTransactions, TransactionsUnderWay, WrittenTransactions,
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::chain;
use crate::http::Readiness;
use crate::settings::Settings;
use crate::telemetry::TransactionMetrics;
use crate::wiring::Service;

/// Between two looks at least: what is due already may be in another worker's hands.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// Takes what is due until it is told to stop; then lets what is under way end.
pub fn process(
    settings: &Settings,
    service: &Service,
    readiness: Readiness,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let interval = settings.workers.recovery_interval;
    let shortest = SHORTEST_SLEEP.min(interval);
    let (processing, metrics) =
        (service.processing.clone(), service.api.transaction_metrics.clone());
    async move {
        let mut under_way = TransactionsUnderWay::default();
        let mut begun = BegunTransactions::default();
        let mut next_look = Instant::now();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = under_way.ended() => {
                    report(&metrics, processing.write_down(&mut under_way).await);
                    // There is room again; what did not fit need not wait.
                    if !begun.has_more {
                        continue;
                    }
                }
                () = processing.bell.notified() => {}
                () = sleep_until(next_look) => {}
            }
            if under_way.has_unwritten() {
                report(&metrics, processing.write_down(&mut under_way).await);
            }
            begun = match readiness.is_open() {
                true => begin(&processing, &mut under_way).await,
                false => BegunTransactions::default(),
            };
            let sleep = begun.next_due_in.unwrap_or(interval).clamp(shortest, interval);
            next_look = Instant::now() + sleep;
        }
        while under_way.running() > 0 {
            under_way.ended().await;
            report(&metrics, processing.write_down(&mut under_way).await);
        }
    }
}

async fn begin(
    processing: &ProcessTransactions,
    under_way: &mut TransactionsUnderWay,
) -> BegunTransactions {
    processing.begin(under_way).await.unwrap_or_else(|error| {
        tracing::warn!(cause = chain(error), "due transactions could not be taken");
        BegunTransactions::default()
    })
}

fn report(metrics: &TransactionMetrics, written: WrittenTransactions) {
    metrics.written(&written);
    let WrittenTransactions { processed, retried, dead, lost, .. } = written;
    if processed.saturating_add(retried).saturating_add(lost) > 0 {
        tracing::info!(processed, retried, lost, "transactions");
    }
    if dead > 0 {
        tracing::error!(dead, "transactions failed at every attempt and wait for an operator");
    }
    for failure in written.failures {
        tracing::error!(cause = chain(failure), "what became of transactions was not written down");
    }
    for interrupted in written.interrupted {
        tracing::error!(cause = chain(interrupted), "an attempt at a transaction broke off");
    }
}
