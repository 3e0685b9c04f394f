//! Payments that are left for their clients.

use std::time::Duration;

use serde::Deserialize;

/// How long a payment waits for its client's next try.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaySettings {
    /// From the attempts that failed; then it is voided.
    #[serde(with = "humantime_serde")]
    pub open_for: Duration,
}

impl PaySettings {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if self.open_for > super::LONGEST {
            problems.push("pay.open_for must not be longer than 36500d".to_owned());
        }
    }
}
