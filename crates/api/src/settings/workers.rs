//! The workers.

use std::time::Duration;

use serde::Deserialize;

/// How often the workers look, and how much they take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkersSettings {
    /// Between two looks for payments that nobody works on.
    #[serde(with = "humantime_serde")]
    pub recovery_interval: Duration,
    /// Between two sweeps of expired answers and forgotten keys.
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
    /// Most rows taken at once.
    pub batch: u32,
    /// After this long without an outcome a payment needs an operator.
    #[serde(with = "humantime_serde")]
    pub review_after: Duration,
}

impl WorkersSettings {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        for (name, value) in [
            ("recovery_interval", self.recovery_interval),
            ("sweep_interval", self.sweep_interval),
            ("review_after", self.review_after),
        ] {
            if value.is_zero() {
                problems.push(format!("workers.{name} must be longer than zero"));
            }
        }
        if !(1..=1_000).contains(&self.batch) {
            problems.push("workers.batch must be between 1 and 1000".to_owned());
        }
    }
}
