//! Values for tests of the domain.

use time::macros::datetime;
use uuid::Uuid;

use crate::gateway::{GatewayIdentity, GatewayKeySecret};
use crate::idempotency::{
    AfterExpiry, Fence, Generation, KeySpace, RecordId, SettledAnswer, StoredAnswer,
};
use crate::money::Money;
use crate::payment::{Metadata, Operation, Payment, PaymentId, PaymentRequest};
use crate::ports::{OpenPayment, Owned, OwnedBy};
use std::time::Duration;

pub(crate) const LEASE: Duration = Duration::from_secs(20);

pub(crate) fn record() -> RecordId {
    RecordId {
        account: "default".parse().expect("valid"),
        space: KeySpace::Key,
        key: "order-1".parse().expect("valid"),
    }
}

pub(crate) fn request() -> PaymentRequest {
    PaymentRequest {
        operation: Operation::CreatePayment,
        money: Money::parse("100.00", "USD".parse().expect("known")).expect("valid"),
        payment_method: None,
        reference: None,
        description: None,
        metadata: Metadata::default(),
    }
}

pub(crate) fn identity() -> GatewayIdentity {
    GatewayIdentity { kind: "mock".to_owned(), base_url: String::new(), account: String::new() }
}

pub(crate) fn open() -> OpenPayment {
    OpenPayment {
        record: record(),
        request: request(),
        request_id: "req-1".parse().expect("valid"),
        candidate: PaymentId(Uuid::from_u128(1)),
        gateway: identity(),
        gateway_request: b"charge".to_vec(),
        key_secret: GatewayKeySecret::new(b"secret"),
        lease: LEASE,
        after_expiry: AfterExpiry::Refuse,
        queued: false,
    }
}

pub(crate) fn payment() -> Payment {
    open().payment(Generation::FIRST, datetime!(2026-01-01 12:00 UTC))
}

pub(crate) fn owned(by: OwnedBy) -> Owned {
    let fence = match by {
        OwnedBy::Opening => Fence::FIRST,
        OwnedBy::TakeOver => Fence(2),
    };
    let payment = payment();
    let now = payment.created_at;
    Owned { payment, fence, request_id: "req-1".parse().expect("valid"), by, now }
}

pub(crate) fn settled(body: &str) -> SettledAnswer {
    SettledAnswer {
        answer: StoredAnswer {
            status: 201,
            content_type: "application/json".to_owned(),
            location: None,
            body: body.into(),
        },
        expires_at: datetime!(2026-01-02 12:00 UTC),
        request_id: "req-1".parse().expect("valid"),
    }
}
