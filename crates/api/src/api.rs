//! What the routes work with: use cases and queries behind ports, and the limits of requests.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::account::AccountId;
use payonce_domain::money::Currency;
use payonce_domain::ports::{
    IdempotencyRepository, PaymentQueries, RateLimiter, TransactionRepository,
};
use payonce_domain::use_cases::fake_gateway::FakeGateway;
use payonce_domain::use_cases::{CreatePayment, IngestTransaction, StoreOpaqueOperation};
use tokio::sync::watch;

use crate::http::{Authentication, BodyLimits, Preferences, RequestMetrics, Webhooks};
use crate::telemetry::{LiveGauges, Metrics, TransactionMetrics};

/// Handed to every route.
#[derive(Clone)]
pub struct Api {
    /// Whom requests act for where they need not prove who they are.
    pub account: AccountId,
    /// How requests prove who they are, where they must.
    pub authentication: Option<Arc<Authentication>>,
    /// Creates payments.
    pub create_payment: Arc<CreatePayment>,
    /// Answers operations that move no money.
    pub store_opaque: Arc<StoreOpaqueOperation>,
    /// Reads payments.
    pub payments: Arc<dyn PaymentQueries>,
    /// Reads keys.
    pub keys: Arc<dyn IdempotencyRepository>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What is read when somebody asks for metrics.
    pub live_gauges: Arc<LiveGauges>,
    /// Counts requests.
    pub request_metrics: Arc<RequestMetrics>,
    /// Counts announced transactions.
    pub transaction_metrics: Arc<TransactionMetrics>,
    /// The gateway that this service plays for others, where it does.
    pub fake_gateway: Option<Arc<FakeGateway>>,
    /// Accepts announced transactions.
    pub ingest_transaction: Arc<IngestTransaction>,
    /// Reads transactions.
    pub transactions: Arc<dyn TransactionRepository>,
    /// Whose webhooks they are, and who may send them.
    pub webhooks: Webhooks,
    /// Counts requests, where there is a limit.
    pub rate_limiter: Option<Arc<dyn RateLimiter>>,
    /// Whether Redis answers, where there is one.
    pub redis_is_up: Option<watch::Receiver<bool>>,
    /// What a body may cost.
    pub body_limits: BodyLimits,
    /// The currency of a request that names none.
    pub default_currency: Currency,
    /// How long a duplicate waits unless it says otherwise.
    pub wait: Duration,
    /// How long it waits at most.
    pub wait_max: Duration,
}

impl Api {
    /// How long a duplicate with these preferences waits.
    pub fn wait_of(&self, preferences: Preferences) -> Duration {
        preferences.wait.unwrap_or(self.wait).min(self.wait_max)
    }
}
