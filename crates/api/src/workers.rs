//! The workers: recovery, the sweep, announced transactions, and news from other instances. Any
//! number of instances may run them at once.

mod transactions;

use std::future::Future;
use std::time::Duration;

use payonce_domain::failpoints::reach;
use payonce_domain::ports::{BoxedError, Sweep};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::http::Readiness;
use crate::settings::Settings;
use crate::wiring::Service;

/// Workers at work.
pub struct Workers {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Workers {
    /// Starts recovery, the sweep and the transactions; they begin once the service is ready.
    pub fn start(settings: &Settings, service: &Service, readiness: &Readiness) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(recover(settings, service, readiness.clone(), stop.clone()));
        tasks.spawn(sweep(settings, service, readiness.clone(), stop.clone()));
        tasks.spawn(transactions::process(settings, service, readiness.clone(), stop.clone()));
        Self { tasks, stop }
    }

    /// Lets each end what it is at, and waits for that.
    pub async fn drain(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Wakes duplicates that wait here for payments that another instance makes, until it is dropped.
pub fn hear_news(service: &Service) -> impl Future<Output = ()> + Send + use<> {
    let (news, waiters) = (service.store.news.clone(), service.waiters.clone());
    async move { news.listen(std::sync::Arc::new(move |payment| waiters.look_again(payment))).await }
}

fn recover(
    settings: &Settings,
    service: &Service,
    readiness: Readiness,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let interval = settings.workers.recovery_interval;
    let recovery = service.recovery.clone();
    async move {
        while pause(interval, &stop, recovery.bell.notified()).await {
            if !readiness.is_open() {
                continue;
            }
            match recovery.execute().await {
                Ok(batch) => {
                    if batch.taken > 0 {
                        tracing::info!(taken = batch.taken, settled = batch.settled, "recovery");
                    }
                    for failure in batch.failures {
                        tracing::error!(cause = chain(failure), "recovery of a payment failed");
                    }
                    if batch.has_more {
                        recovery.bell.notify_one();
                    }
                }
                Err(error) => tracing::warn!(cause = chain(error), "recovery found no store"),
            }
        }
    }
}

fn sweep(
    settings: &Settings,
    service: &Service,
    readiness: Readiness,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let interval = settings.workers.sweep_interval;
    let keys = service.store.keys.clone();
    let sweep = Sweep { memory: settings.idempotency.memory, limit: settings.workers.batch };
    async move {
        while pause(interval, &stop, std::future::pending()).await {
            while readiness.is_open() {
                let began = Instant::now();
                match keys.sweep(sweep).await {
                    Ok(swept) => {
                        reach("gc_batch");
                        if swept.purged < sweep.limit && swept.forgotten < sweep.limit {
                            break;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(cause = chain(error), "the sweep found no store");
                        break;
                    }
                }
                if !pause(rest_after(began.elapsed()), &stop, std::future::pending()).await {
                    break;
                }
            }
        }
    }
}

/// Between two batches of a sweep that has more to do, at least.
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// How many times as long as it worked a sweep rests.
const REST: u32 = 4;

/// Lets traffic go first: a store that is busy, and takes long for a batch, is left alone longer.
fn rest_after(batch: Duration) -> Duration {
    batch.saturating_mul(REST).max(SHORTEST_REST)
}

/// Waits for the next round; false when there is none.
async fn pause(
    interval: Duration,
    stop: &CancellationToken,
    bell: impl Future<Output = ()>,
) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(interval) => true,
        () = bell => true,
    }
}

fn chain(error: impl Into<BoxedError>) -> Option<String> {
    crate::http::problem::Problem::from_cause(error).cause_chain()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_rests_longer_than_it_worked_and_never_not_at_all() {
        for worked in [Duration::ZERO, Duration::from_millis(2), Duration::from_secs(2)] {
            let rest = rest_after(worked);
            assert!(rest >= worked * 4 && rest >= Duration::from_millis(5), "{worked:?}: {rest:?}");
        }
    }
}
