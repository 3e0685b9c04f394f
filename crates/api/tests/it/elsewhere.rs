//! Another instance's work on a key, step by step: as slow as a test wants it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use payonce_api::http::JsonAnswers;
use payonce_domain::gateway::{Charge, GatewayKeySecret};
use payonce_domain::idempotency::{AfterExpiry, IdempotencyKey, KeySpace, RecordId};
use payonce_domain::money::Money;
use payonce_domain::payment::{
    Actor, EventKind, Metadata, Operation, PaymentId, PaymentRequest, Timeline, Verdict,
};
use payonce_domain::ports::{
    AnswerFormat, HandOver, HandOverTo, LeaseRenewal, OpenPayment, Opened, Owned,
    PaymentRepository, Renewed, Settle, Settled,
};
use payonce_domain::text::Text;
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
        Self::opens(app, key, Operation::CreatePayment, lease).await
    }

    /// Opens what a request of that format for 100.00 USD would open.
    pub async fn opens_in_format(app: &TestApp, key: &str, operation: Operation) -> Self {
        Self::opens(app, key, operation, Duration::from_secs(3600)).await
    }

    async fn opens(app: &TestApp, key: &str, operation: Operation, lease: Duration) -> Self {
        let space = match operation {
            Operation::StartPayment => KeySpace::Order,
            Operation::CreatePayment | Operation::Pay => KeySpace::Key,
        };
        let record = RecordId {
            account: "default".parse().expect("an account"),
            space,
            key: key.parse::<IdempotencyKey>().expect("a key"),
        };
        let is_order = operation == Operation::StartPayment;
        let user =
            (operation == Operation::Pay).then(|| ("user_id".to_owned(), "user123".to_owned()));
        let request = PaymentRequest {
            operation,
            money: Money::parse("100", "USD".parse().expect("known")).expect("an amount"),
            payment_method: None,
            reference: is_order.then(|| Text::parse(key).expect("a reference")),
            description: None,
            metadata: Metadata::parse(BTreeMap::from_iter(user)).expect("it is small"),
        };
        let candidate = PaymentId(Uuid::new_v4());
        let gateway_request = app.gateway.charge_request(candidate, &request);
        let open = OpenPayment {
            record,
            request: request.into(),
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
        match repository.open(Arc::new(open)).await.expect("the store opens") {
            Opened::Owned(owned) => Self { repository, owned: *owned },
            other => panic!("not owned: {other:?}"),
        }
    }

    /// The payment's id.
    pub fn payment(&self) -> String {
        self.owned.payment.id.to_string()
    }

    /// Gives the payment up, to whom it is told.
    pub async fn hands_over(&self, to: HandOverTo) {
        let hand_over = HandOver {
            record: self.owned.payment.record.clone(),
            payment: self.owned.payment.id,
            fence: self.owned.fence,
            to,
            events: Vec::new(),
        };
        let done = self.repository.hand_over(hand_over).await.expect("the store hands over");
        assert_eq!(done, Renewed::Granted, "it is still ours");
    }

    /// Intends a void, for good.
    pub async fn intends_a_void(&self) {
        let renewal = LeaseRenewal {
            record: self.owned.payment.record.clone(),
            payment: self.owned.payment.id,
            fence: self.owned.fence,
            lease: Duration::from_secs(3600),
            attempts: self.owned.payment.attempts,
            void_intended: true,
            events: Vec::new(),
        };
        let done = self.repository.renew(renewal).await.expect("the store renews");
        assert_eq!(done, Renewed::Granted, "it is still ours");
    }

    /// Settles as completed; false when somebody else has taken over.
    pub async fn settles(&self) -> bool {
        let charge = Charge { reference: "ch_elsewhere".to_owned() };
        let payment = self.owned.payment.clone();
        let payment = payment.conclude(Verdict::Completed(charge), self.owned.now);
        let payment = payment.expect("it is not final yet");
        let mut timeline = Timeline::after_opening(self.owned.fence, Actor::Request);
        timeline.add(EventKind::Completed, None, None);
        let settle = Settle {
            answer: JsonAnswers.final_answer(&payment, &self.owned.request_id),
            payment,
            opened_by: self.owned.request_id.clone(),
            fence: self.owned.fence,
            retention: Duration::from_secs(24 * 3600),
            events: timeline.take(),
        };
        let settled = self.repository.settle(Box::new(settle)).await.expect("the store settles");
        matches!(settled, Settled::Stored(_))
    }
}
