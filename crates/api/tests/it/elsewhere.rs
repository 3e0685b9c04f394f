//! Another instance's work on a key, step by step: as slow as a test wants it.

use std::sync::Arc;
use std::time::Duration;

use payonce_api::http::JsonAnswers;
use payonce_domain::gateway::{Charge, GatewayKeySecret};
use payonce_domain::idempotency::{AfterExpiry, IdempotencyKey, KeySpace, RecordId};
use payonce_domain::money::Money;
use payonce_domain::payment::{Metadata, Operation, PaymentId, PaymentRequest, Verdict};
use payonce_domain::ports::{
    AnswerFormat, OpenPayment, Opened, Owned, PaymentRepository, Settle, Settled,
};
use uuid::Uuid;

use crate::app::{KEY_SECRET, TestApp};

/// An owner that works until it is told to go on; its gateway is never asked.
pub struct Elsewhere {
    repository: Arc<dyn PaymentRepository>,
    owned: Owned,
}

impl Elsewhere {
    /// Opens a payment of 100.00 USD under a key, with a lease that outlasts the test.
    pub async fn opens_a_payment(app: &TestApp, key: &str) -> Self {
        Self::opens_with_a_lease(app, key, Duration::from_secs(3600)).await
    }

    /// The same, with that lease.
    pub async fn opens_with_a_lease(app: &TestApp, key: &str, lease: Duration) -> Self {
        let record = RecordId {
            account: "default".parse().expect("an account"),
            space: KeySpace::Key,
            key: key.parse::<IdempotencyKey>().expect("a key"),
        };
        let request = PaymentRequest {
            operation: Operation::CreatePayment,
            money: Money::parse("100", "USD".parse().expect("known")).expect("an amount"),
            payment_method: None,
            reference: None,
            description: None,
            metadata: Metadata::default(),
        };
        let candidate = PaymentId(Uuid::new_v4());
        let gateway_request = app.gateway.charge_request(candidate, &request);
        let open = OpenPayment {
            record,
            request,
            request_id: "elsewhere".parse().expect("an id"),
            candidate,
            gateway: app.gateway.identity(),
            gateway_request,
            key_secret: GatewayKeySecret::new(KEY_SECRET.as_bytes()),
            lease,
            after_expiry: AfterExpiry::Refuse,
            queued: false,
        };
        let repository = Arc::clone(&app.store.repository);
        match repository.open(open).await.expect("the store opens") {
            Opened::Owned(owned) => Self { repository, owned: *owned },
            other => panic!("not owned: {other:?}"),
        }
    }

    /// The payment's id.
    pub fn payment(&self) -> String {
        self.owned.payment.id.to_string()
    }

    /// Settles as completed; false when somebody else has taken over.
    pub async fn settles(&self) -> bool {
        let charge = Charge { reference: "ch_elsewhere".to_owned() };
        let payment = self.owned.payment.clone();
        let payment = payment.conclude(Verdict::Completed(charge), self.owned.now);
        let payment = payment.expect("it is not final yet");
        let settle = Settle {
            answer: JsonAnswers.final_answer(&payment, &self.owned.request_id),
            payment,
            fence: self.owned.fence,
            retention: Duration::from_secs(24 * 3600),
            events: Vec::new(),
        };
        let settled = self.repository.settle(settle).await.expect("the store settles");
        matches!(settled, Settled::Stored(_))
    }
}
