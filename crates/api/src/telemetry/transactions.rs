//! Counts announced transactions: what came in, and what became of it.

use metrics::{Counter, counter, describe_counter};
use payonce_domain::ports::Ingested;
use payonce_domain::use_cases::WrittenTransactions;

use super::Metrics;

const INGESTED: &str = "payonce_transactions_ingested_total";
const PROCESSED: &str = "payonce_transactions_processed_total";

/// The counters, which stand at zero until something happens.
pub struct TransactionMetrics {
    new: Counter,
    duplicates: Counter,
    conflicts: Counter,
    processed: Counter,
    retried: Counter,
    dead: Counter,
    fence_lost: Counter,
}

impl TransactionMetrics {
    /// Begins at zero.
    pub fn new(metrics: &Metrics) -> Self {
        metrics.record(|| {
            describe_counter!(INGESTED, "Webhooks that announced a transaction, by what it was.");
            describe_counter!(PROCESSED, "Attempts to process a transaction, by their end.");
            let ingested = |outcome: &'static str| counter!(INGESTED, "outcome" => outcome);
            let processed = |outcome: &'static str| counter!(PROCESSED, "outcome" => outcome);
            Self {
                new: ingested("new"),
                duplicates: ingested("duplicate"),
                conflicts: ingested("conflict"),
                processed: processed("processed"),
                retried: processed("retried"),
                dead: processed("dead"),
                fence_lost: processed("fence_lost"),
            }
        })
    }

    /// Counts a webhook.
    pub fn ingested(&self, ingested: &Ingested) {
        match ingested {
            Ingested::New => self.new.increment(1),
            Ingested::Duplicate => self.duplicates.increment(1),
            Ingested::Conflict { .. } => self.conflicts.increment(1),
        }
    }

    /// Counts attempts whose end was written down.
    pub fn written(&self, written: &WrittenTransactions) {
        for (counter, count) in [
            (&self.processed, written.processed),
            (&self.retried, written.retried),
            (&self.dead, written.dead),
            (&self.fence_lost, written.lost),
        ] {
            counter.increment(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}
