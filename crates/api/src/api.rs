//! What the routes work with: use cases and queries behind ports, and the limits of requests.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::money::Currency;
use payonce_domain::ports::{IdempotencyRepository, PaymentQueries};
use payonce_domain::use_cases::CreatePayment;
use payonce_domain::use_cases::fake_gateway::FakeGateway;

use crate::http::BodyLimits;

/// Handed to every route.
#[derive(Clone)]
pub struct Api {
    /// Creates payments.
    pub create_payment: Arc<CreatePayment>,
    /// Reads payments.
    pub payments: Arc<dyn PaymentQueries>,
    /// Reads keys.
    pub keys: Arc<dyn IdempotencyRepository>,
    /// The gateway that this service plays for others, where it does.
    pub fake_gateway: Option<Arc<FakeGateway>>,
    /// What a body may cost.
    pub body_limits: BodyLimits,
    /// The currency of a request that names none.
    pub default_currency: Currency,
    /// How long a duplicate waits unless it says otherwise.
    pub wait: Duration,
    /// How long it waits at most.
    pub wait_max: Duration,
}
