//! The rate limit.

use std::num::NonZeroU32;

use payonce_domain::ports::RateQuota;
use serde::Deserialize;

/// Beyond these, times between tokens are too short to be told apart.
const MOST_PER_SECOND: u32 = 1_000_000;
const MOST_AT_ONCE: u32 = 10_000_000;

/// How much one client may ask for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitSettings {
    /// Whether there is a limit.
    pub enabled: bool,
    /// Requests a second that may go on for ever.
    pub per_second: u32,
    /// Requests that may come at once.
    pub burst: u32,
}

impl RateLimitSettings {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        for (name, value, most) in
            [("per_second", self.per_second, MOST_PER_SECOND), ("burst", self.burst, MOST_AT_ONCE)]
        {
            if !(1..=most).contains(&value) {
                problems.push(format!("rate_limit.{name} must be between 1 and {most}"));
            }
        }
    }

    /// The quota, where there is a limit.
    pub fn quota(&self) -> Option<RateQuota> {
        let number = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = RateQuota { per_second: number(self.per_second), burst: number(self.burst) };
        self.enabled.then_some(quota)
    }
}
