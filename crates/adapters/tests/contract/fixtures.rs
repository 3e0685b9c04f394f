//! Requests, answers and the calls of an owner.

use std::time::Duration;

use payonce_domain::account::AccountId;
use payonce_domain::gateway::{Charge, GatewayIdentity, GatewayKeySecret};
use payonce_domain::idempotency::{AfterExpiry, IdempotencyKey, KeySpace, RecordId, StoredAnswer};
use payonce_domain::money::Money;
use payonce_domain::payment::{
    Actor, EventKind, Metadata, Operation, Payment, PaymentId, PaymentRequest, Timeline, Verdict,
};
use payonce_domain::ports::{
    HandOver, HandOverTo, LeaseRenewal, OpenPayment, Owned, OwnedBy, Settle,
};
use payonce_domain::text::Text;
use uuid::Uuid;

/// Longer than any test.
pub const LEASE: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

pub fn account() -> AccountId {
    "default".parse().expect("valid")
}

pub fn key(name: &str) -> IdempotencyKey {
    name.parse().expect("valid")
}

pub fn record(name: &str) -> RecordId {
    RecordId { account: account(), space: KeySpace::Key, key: key(name) }
}

pub fn money(amount: &str, currency: &str) -> Money {
    Money::parse(amount, currency.parse().expect("known")).expect("valid")
}

pub fn text<const MIN: usize, const MAX: usize>(text: &str) -> Option<Text<MIN, MAX>> {
    Some(Text::parse(text).expect("valid"))
}

pub fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Metadata::parse(pairs.collect()).expect("valid")
}

pub fn request() -> PaymentRequest {
    PaymentRequest {
        operation: Operation::CreatePayment,
        money: money("100.00", "USD"),
        payment_method: text("tok_visa"),
        reference: text("invoice 7"),
        description: text("Three chairs"),
        metadata: metadata(&[("cart", "7")]),
    }
}

/// A request of its own: no two calls have one candidate.
pub fn open(name: &str) -> OpenPayment {
    let candidate = PaymentId(Uuid::new_v4());
    OpenPayment {
        record: record(name),
        request: request().into(),
        request_id: format!("req-{candidate}").parse().expect("valid"),
        candidate,
        gateway: GatewayIdentity {
            kind: "mock".into(),
            base_url: "http://gateway.example/".into(),
            account: "merchant".into(),
        },
        gateway_request: format!("charge for {candidate}").into_bytes(),
        key_secret: GatewayKeySecret::new(b"secret"),
        lease: LEASE,
        after_expiry: AfterExpiry::Refuse,
        queued: false,
    }
}

/// A request whose owner counts as dead at once.
pub fn open_and_die(name: &str) -> OpenPayment {
    OpenPayment { lease: Duration::ZERO, ..open(name) }
}

/// The same key for another amount.
pub fn open_for(name: &str, amount: &str) -> OpenPayment {
    let request = PaymentRequest { money: money(amount, "USD"), ..request() };
    OpenPayment { request: request.into(), ..open(name) }
}

pub fn answer(body: &str) -> StoredAnswer {
    StoredAnswer {
        status: 201,
        content_type: "application/json".to_owned(),
        location: Some("/payments/1".to_owned()),
        body: body.to_owned().into(),
    }
}

/// How long nobody looks at what was handed over.
pub const HANDED_OVER_FOR: Duration = Duration::from_secs(5);

/// Behind the entry with which the owner came.
pub fn timeline(owned: &Owned) -> Timeline {
    let actor = match owned.by {
        OwnedBy::Opening => Actor::Request,
        OwnedBy::TakeOver => Actor::Retry,
        OwnedBy::Recovery => Actor::Recovery,
        OwnedBy::Operator => Actor::Operator,
    };
    Timeline::after_opening(owned.fence, actor)
}

pub fn completed(owned: &Owned) -> Payment {
    let charge = Charge { reference: "ch_1".to_owned() };
    owned.payment.clone().conclude(Verdict::Completed(charge), owned.now).expect("it may end")
}

pub fn settle(owned: &Owned, body: &str) -> Settle {
    let mut timeline = timeline(owned);
    timeline.add(EventKind::Completed, None, None);
    Settle {
        payment: completed(owned),
        opened_by: owned.request_id.clone(),
        fence: owned.fence,
        answer: answer(body),
        retention: DAY,
        events: timeline.take(),
    }
}

/// The announcement of a second attempt.
pub fn renewal(owned: &Owned) -> LeaseRenewal {
    let mut timeline = timeline(owned);
    timeline.add(EventKind::Attempt, Some(1), Some("unknown: timeout".to_owned()));
    LeaseRenewal {
        record: owned.payment.record.clone(),
        payment: owned.payment.id,
        fence: owned.fence,
        lease: LEASE,
        attempts: 2,
        void_intended: false,
        events: timeline.take(),
    }
}

pub fn hand_over(owned: &Owned) -> HandOver {
    let mut timeline = timeline(owned);
    timeline.add(EventKind::HandedOver, None, None);
    HandOver {
        record: owned.payment.record.clone(),
        payment: owned.payment.id,
        fence: owned.fence,
        to: HandOverTo::Recovery(HANDED_OVER_FOR),
        events: timeline.take(),
    }
}

/// Ends a payment that was voided.
pub fn failing(owned: &Owned) -> Settle {
    let later = owned.now + Duration::from_secs(1);
    let payment = owned.payment.clone().conclude(Verdict::Voided, later);
    Settle { payment: payment.expect("it may end"), ..settle(owned, "failed") }
}
