//! Announced transactions.

use std::time::Duration;

use serde::Deserialize;

/// When announced transactions are processed, and how often at most.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionsSettings {
    /// From the announcement to the processing.
    #[serde(with = "humantime_serde")]
    pub processing_delay: Duration,
    /// Attempts before an operator decides.
    pub attempts: u32,
}

impl TransactionsSettings {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if !(1..=1_000).contains(&self.attempts) {
            problems.push("transactions.attempts must be between 1 and 1000".to_owned());
        }
        if self.processing_delay > Duration::from_secs(365 * 86_400) {
            problems.push("transactions.processing_delay must be at most 365d".to_owned());
        }
    }
}
