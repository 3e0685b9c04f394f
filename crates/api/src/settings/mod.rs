//! What an operator sets: typed, checked at start, and named in one line when it is wrong.

mod auth;
mod database;
mod fake_gateway;
#[cfg(test)]
mod fuzz;
mod gateway;
mod http_gateway;
mod idempotency;
mod layers;
mod log;
mod masked_url;
mod pay;
mod problems;
mod rate_limit;
mod redis;
mod replay_cache;
mod server;
mod server_tls;
mod telemetry;
mod transactions;
mod webhooks;
mod workers;

use std::time::Duration;

use serde::Deserialize;

pub use auth::{AuthMode, AuthSettings};
pub use database::{DatabaseSettings, DatabaseUrl};
pub use fake_gateway::FakeGatewaySettings;
pub use gateway::{GatewayKind, GatewayMode, GatewaySettings, SimulatedGatewaySettings};
pub use http_gateway::{GatewayUrl, HttpGatewaySettings};
pub use idempotency::IdempotencySettings;
pub use layers::{EffectiveValue, Layers};
pub use log::{LogFormat, LogSettings};
pub use pay::PaySettings;
pub use problems::SettingsError;
pub use rate_limit::RateLimitSettings;
pub use redis::{RedisSettings, RedisUrl};
pub use replay_cache::ReplayCacheSettings;
pub use server::ServerSettings;
pub use server_tls::ServerTlsSettings;
pub use telemetry::{CollectorUrl, TelemetrySettings};
pub use transactions::TransactionsSettings;
pub use webhooks::{WebhookSecret, WebhooksSettings};
pub use workers::WorkersSettings;

use payonce_domain::money::Currency;

/// A hundred years; what lies much further ahead is no time that a store can hold.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

/// Everything an operator sets.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How strict the checks at start are.
    pub profile: Profile,
    /// The listener.
    pub server: ServerSettings,
    /// Who may ask.
    pub auth: AuthSettings,
    /// The store.
    pub database: DatabaseSettings,
    /// Redis, where there is one.
    pub redis: RedisSettings,
    /// The gateway.
    pub gateway: GatewaySettings,
    /// The gateway that this service plays for others.
    pub fake_gateway: FakeGatewaySettings,
    /// Keys.
    pub idempotency: IdempotencySettings,
    /// Stored answers that are kept near at hand.
    pub replay_cache: ReplayCacheSettings,
    /// How much one client may ask for.
    pub rate_limit: RateLimitSettings,
    /// Payments.
    pub payments: PaymentsSettings,
    /// Payments that are left for their clients.
    pub pay: PaySettings,
    /// Announced transactions.
    pub transactions: TransactionsSettings,
    /// Webhooks that others send.
    pub webhooks: WebhooksSettings,
    /// Workers.
    pub workers: WorkersSettings,
    /// Logs.
    pub log: LogSettings,
    /// Traces.
    pub telemetry: TelemetrySettings,
}

/// How strict the checks at start are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Samples and simulations are allowed.
    Development,
    /// They are refused.
    Production,
}

/// Payments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentsSettings {
    /// The currency of a request that names none.
    #[serde(deserialize_with = "currency")]
    pub default_currency: Currency,
}

impl Settings {
    /// Checks what no single value shows; returns every problem at once.
    fn check(self) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        self.gateway.check(self.profile, &mut problems);
        self.fake_gateway.check(self.profile, &mut problems);
        self.idempotency.check(&self.gateway, &mut problems);
        self.server.check(&mut problems);
        self.auth.check(self.profile, &self.server.host, &mut problems);
        self.transactions.check(&mut problems);
        self.webhooks.check(self.profile, &mut problems);
        self.workers.check(&mut problems);
        self.pay.check(&mut problems);
        self.database.check(self.profile, &mut problems);
        self.redis.check(&mut problems);
        self.replay_cache.check(&mut problems);
        self.rate_limit.check(&mut problems);
        if problems.is_empty() { Ok(self) } else { Err(SettingsError::new(problems)) }
    }

    /// Whether migrations run at start.
    pub fn migrate_on_start(&self) -> bool {
        self.database.migrate_on_start.unwrap_or(self.profile == Profile::Development)
    }
}

fn currency<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
