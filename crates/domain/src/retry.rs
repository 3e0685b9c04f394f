//! How often, how long and how far apart the gateway is tried.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// Attempts, timeouts and pauses of one round of calls to the gateway.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Sends in one round, the first included.
    pub attempts: u32,
    /// After this long one call counts as unknown.
    pub attempt_timeout: Duration,
    /// All calls of one round, look-up and void included, end by then.
    pub deadline: Duration,
    /// Upper bound of the first pause.
    pub backoff_base: Duration,
    /// Upper bound of every pause.
    pub backoff_max: Duration,
}

impl RetryPolicy {
    /// The upper bounds of the pauses between attempts; the pause itself is drawn between zero
    /// and the bound ("full jitter").
    pub fn pauses(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        ExponentialBuilder::new()
            .with_min_delay(self.backoff_base)
            .with_max_delay(self.backoff_max)
            .without_max_times()
            .build()
    }
}
