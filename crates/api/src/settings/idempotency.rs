//! Keys.

use std::time::Duration;

use payonce_domain::idempotency::AfterExpiry;
use serde::Deserialize;

use super::{GatewaySettings, LONGEST};

/// How long keys and answers live, and who waits for whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdempotencySettings {
    /// How long a stored answer is replayed.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// How long a key is remembered, from the moment its answer was stored.
    #[serde(with = "humantime_serde")]
    pub memory: Duration,
    /// What an expired key does.
    #[serde(deserialize_with = "after_expiry")]
    pub after_expiry: AfterExpiry,
    /// How long an owner may work without a sign of life.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// How long a duplicate waits unless it says otherwise.
    #[serde(with = "humantime_serde")]
    pub wait: Duration,
    /// How long a duplicate waits at most.
    #[serde(with = "humantime_serde")]
    pub wait_max: Duration,
    /// How many may wait at a time.
    pub waiters: usize,
}

impl IdempotencySettings {
    pub(super) fn check(&self, gateway: &GatewaySettings, problems: &mut Vec<String>) {
        let shortest = gateway.deadline.saturating_mul(6) / 5;
        if self.lease < shortest {
            problems.push(format!(
                "idempotency.lease must be at least 1.2 times gateway.deadline, {}, and is {}",
                humantime::format_duration(shortest),
                humantime::format_duration(self.lease),
            ));
        }
        if self.wait > self.wait_max {
            problems
                .push("idempotency.wait must not be longer than idempotency.wait_max".to_owned());
        }
        if self.memory < self.retention {
            problems.push(
                "idempotency.memory must not be shorter than idempotency.retention".to_owned(),
            );
        }
        for (name, value) in
            [("retention", self.retention), ("memory", self.memory), ("lease", self.lease)]
        {
            if value > LONGEST {
                problems.push(format!("idempotency.{name} must not be longer than 36500d"));
            }
        }
        if self.retention.is_zero() {
            problems.push("idempotency.retention must be longer than zero".to_owned());
        }
    }
}

fn after_expiry<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<AfterExpiry, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "refuse" => Ok(AfterExpiry::Refuse),
        "reuse" => Ok(AfterExpiry::Reuse),
        _ => Err(serde::de::Error::custom("must be \"refuse\" or \"reuse\"")),
    }
}
