//! The gateway that this service plays for others.

use std::ops::RangeInclusive;
use std::time::Duration;

use payonce_domain::use_cases::fake_gateway::{FakeGatewayMode, FakeGatewayTerms};
use serde::{Deserialize, Deserializer};

use super::Profile;

/// The gateway that this service plays for others.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FakeGatewaySettings {
    /// Whether it is there.
    pub enabled: bool,
    /// Share of charges that fail before anything is charged.
    pub failure_rate: f64,
    /// The shortest time for a charge.
    #[serde(with = "humantime_serde")]
    pub latency_min: Duration,
    /// The longest time for a charge.
    #[serde(with = "humantime_serde")]
    pub latency_max: Duration,
    /// What happens to every charge.
    #[serde(default, deserialize_with = "mode")]
    pub mode: Option<FakeGatewayMode>,
}

impl FakeGatewaySettings {
    /// How it behaves.
    pub fn terms(&self) -> FakeGatewayTerms {
        FakeGatewayTerms {
            failure_rate: self.failure_rate,
            latency: self.latency(),
            mode: self.mode,
        }
    }

    fn latency(&self) -> RangeInclusive<Duration> {
        self.latency_min..=self.latency_max
    }

    pub(super) fn check(&self, profile: Profile, problems: &mut Vec<String>) {
        let mut require = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        require(
            (0.0..=1.0).contains(&self.failure_rate),
            "fake_gateway.failure_rate must be between 0 and 1",
        );
        require(
            self.latency_min <= self.latency_max,
            "fake_gateway.latency_min must not be longer than fake_gateway.latency_max",
        );
        require(
            !self.enabled || profile != Profile::Production,
            "fake_gateway.enabled must be false with profile = \"production\"",
        );
    }
}

/// Reads the name of a mode.
pub(super) fn mode<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<FakeGatewayMode>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    name.map(|name| name.parse().map_err(serde::de::Error::custom)).transpose()
}
