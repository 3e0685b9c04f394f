//! Goes on with payments that nobody works on: dead owners, accepted ones, unknown outcomes.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{Paid, PayError, PayPayment};
use crate::failpoints::reach;
use crate::ports::{RepositoryError, TakeDue};

/// The use case. Any number of instances may run it at once.
pub struct RecoverPayments {
    /// Pays what this takes.
    pub pay: Arc<PayPayment>,
    /// Tasks that a shutdown waits for.
    pub tasks: TaskTracker,
    /// Most payments in one batch; all of a batch are worked on at once.
    pub batch: u32,
    /// Rings when there is work that need not wait for the next round.
    pub bell: Arc<Notify>,
}

/// What became of one batch.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Payments taken.
    pub taken: usize,
    /// Of them, those that are final.
    pub settled: usize,
    /// What kept some from being written down.
    pub failures: Vec<PayError>,
    /// Whether more may be due already.
    pub has_more: bool,
}

impl RecoverPayments {
    /// Takes one batch, oldest first, and works on all of it; one bad payment stops no other.
    pub async fn execute(&self) -> Result<Recovered, RepositoryError> {
        let leased_at = self.pay.clock.elapsed();
        let take = TakeDue {
            gateway: self.pay.gateway.is_available().then(|| self.pay.gateway.identity()),
            review_after: self.pay.terms.recovery.review_after,
            lease: self.pay.terms.lease,
            limit: self.batch,
        };
        let batch = self.pay.repository.take_due(take).await?;
        if !batch.is_empty() {
            reach("recovery_claimed");
        }
        let mut recovered = Recovered { taken: batch.len(), ..Recovered::default() };
        recovered.has_more = recovered.taken >= usize::try_from(self.batch).unwrap_or(usize::MAX);
        let at_work: Vec<_> = batch
            .into_iter()
            .map(|owned| {
                let pay = Arc::clone(&self.pay);
                let span =
                    tracing::info_span!(parent: None, "recover", payment = %owned.payment.id);
                let work = async move { pay.execute(Box::new(owned), leased_at).await };
                self.tasks.spawn(work.instrument(span))
            })
            .collect();
        for task in at_work {
            match task.await {
                Ok(Paid::Settled(_)) => {
                    reach("recovery_recorded");
                    recovered.settled = recovered.settled.saturating_add(1);
                }
                Ok(Paid::Unfinished { cause: Some(cause), .. }) => recovered.failures.push(cause),
                Ok(Paid::Unfinished { cause: None, .. } | Paid::LeftOpen(_) | Paid::FenceLost) => {}
                Err(stopped) => recovered.failures.push(PayError::Stopped(stopped)),
            }
        }
        Ok(recovered)
    }
}
