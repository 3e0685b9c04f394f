//! The gateway.

use std::ops::RangeInclusive;
use std::time::Duration;

use payonce_domain::account::Mode;
use payonce_domain::retry::RetryPolicy;
use payonce_domain::use_cases::fake_gateway::FakeGatewayMode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{HttpGatewaySettings, Profile};

/// Stands in the defaults, and so is known to everybody.
const SAMPLE_SECRET: &str = "payonce-sample-secret-for-development-only";

/// The gateway and how it is spoken to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// Which adapter.
    pub kind: GatewayKind,
    /// Whether it moves money; it does not where this is left out.
    pub mode: Option<GatewayMode>,
    /// Most sends in one round.
    pub attempts: u32,
    /// The longest time for one call.
    #[serde(with = "humantime_serde")]
    pub attempt_timeout: Duration,
    /// The longest time for one round.
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    /// Bound of the first pause.
    #[serde(with = "humantime_serde")]
    pub backoff_base: Duration,
    /// Bound of every pause.
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
    /// How long after the first send a charge may be sent again.
    #[serde(with = "humantime_serde")]
    pub dedupe_window: Duration,
    /// Derives the keys that the gateway sees.
    pub key_secret: SecretString,
    /// The simulated gateway.
    pub simulated: SimulatedGatewaySettings,
    /// The gateway that is reached over HTTP.
    pub http: HttpGatewaySettings,
}

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayKind {
    /// One that lives in the process and moves no money.
    Simulated,
    /// One that is reached over HTTP.
    Http,
}

/// Whether a gateway moves money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayMode {
    /// It does.
    Live,
    /// It does not.
    Test,
}

/// The simulated gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedGatewaySettings {
    /// Share of sends that fail before anything is charged.
    pub failure_rate: f64,
    /// Share of new charges that are declined.
    pub decline_rate: f64,
    /// The shortest time for a call.
    #[serde(with = "humantime_serde")]
    pub latency_min: Duration,
    /// The longest time for a call.
    #[serde(with = "humantime_serde")]
    pub latency_max: Duration,
    /// What happens to every charge, instead of failures by chance.
    #[serde(default, deserialize_with = "super::fake_gateway::mode")]
    pub mode: Option<FakeGatewayMode>,
    /// Makes a run repeatable.
    pub seed: Option<u64>,
}

impl SimulatedGatewaySettings {
    /// How long a call takes.
    pub fn latency(&self) -> RangeInclusive<Duration> {
        self.latency_min..=self.latency_max
    }
}

impl GatewaySettings {
    /// The modes that it serves: one that moves money never serves tests, and in production a
    /// payment that is meant never ends at one that moves none.
    pub fn serves(&self, profile: Profile) -> &'static [Mode] {
        match (self.mode, profile) {
            (Some(GatewayMode::Live), _) => &[Mode::Live],
            (_, Profile::Production) => &[Mode::Test],
            (_, Profile::Development) => &[Mode::Live, Mode::Test],
        }
    }

    /// Attempts, timeouts and pauses.
    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy {
            attempts: self.attempts,
            attempt_timeout: self.attempt_timeout,
            deadline: self.deadline,
            backoff_base: self.backoff_base,
            backoff_max: self.backoff_max,
        }
    }

    pub(super) fn check(&self, profile: Profile, problems: &mut Vec<String>) {
        let mut require = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        require((1..=100).contains(&self.attempts), "gateway.attempts must be between 1 and 100");
        require(!self.attempt_timeout.is_zero(), "gateway.attempt_timeout must not be zero");
        require(
            self.attempt_timeout <= self.deadline,
            "gateway.attempt_timeout must not be longer than gateway.deadline",
        );
        require(!self.backoff_base.is_zero(), "gateway.backoff_base must be longer than zero");
        require(
            self.backoff_base <= self.backoff_max,
            "gateway.backoff_base must not be longer than gateway.backoff_max",
        );
        require(
            self.key_secret.expose_secret().len() >= 16,
            "gateway.key_secret must have at least 16 characters",
        );
        for (name, rate) in [
            ("failure_rate", self.simulated.failure_rate),
            ("decline_rate", self.simulated.decline_rate),
        ] {
            let problem = format!("gateway.simulated.{name} must be between 0 and 1");
            require((0.0..=1.0).contains(&rate), &problem);
        }
        require(
            self.simulated.latency_min <= self.simulated.latency_max,
            "gateway.simulated.latency_min must not be longer than gateway.simulated.latency_max",
        );
        require(
            self.kind != GatewayKind::Simulated || self.mode != Some(GatewayMode::Live),
            "gateway.mode must be \"test\" with gateway.kind = \"simulated\"",
        );
        if profile == Profile::Production {
            require(
                self.kind == GatewayKind::Simulated || self.mode.is_some(),
                "gateway.mode must be set, to \"live\" or \"test\", with profile = \"production\"",
            );
            require(
                self.kind != GatewayKind::Simulated,
                "gateway.kind must not be \"simulated\" with profile = \"production\"",
            );
            require(
                self.key_secret.expose_secret() != SAMPLE_SECRET,
                "gateway.key_secret must not be the sample with profile = \"production\"",
            );
        }
        self.http.check(problems);
        if self.kind == GatewayKind::Http {
            self.http.check_use(profile, problems);
        }
    }
}
