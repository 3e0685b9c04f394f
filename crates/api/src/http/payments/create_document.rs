//! How the document describes `POST /v1/payments` and `POST /payments`.

use serde_json::json;

use super::new_payment::NewPayment;
use super::view::{self, PaymentView};
use crate::http::openapi::headers::{
    CACHE_CONTROL, IDEMPOTENCY_EXPIRES, IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED, LOCATION,
    ORIGINAL_REQUEST_ID, PREFERENCE_APPLIED, RETRY_AFTER,
};
use crate::http::openapi::{Endpoint, parameters};
use crate::http::problem::Code;

const DESCRIPTION: &str = "\
The first request with a key pays. Each repeat gets its answer, byte for byte; a repeat that comes \
while the first is still running waits for it. Another request under a known key is refused.\n\n\
202 is no promise of success: what became of the payment is not known yet. Read it at `Location`, \
or repeat the request with the same key.";

/// Both paths of the operation.
pub fn documents() -> Vec<Endpoint> {
    vec![
        document("/v1/payments", "createPayment"),
        document("/payments", "createPaymentAtShortPath"),
    ]
}

fn document(path: &'static str, id: &str) -> Endpoint {
    let keyed = [IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED, CACHE_CONTROL];
    let pending = [&keyed[..], &[LOCATION, RETRY_AFTER, PREFERENCE_APPLIED]].concat();
    let stored = [&keyed[..], &[LOCATION, IDEMPOTENCY_EXPIRES, ORIGINAL_REQUEST_ID]].concat();
    let minimal = json!({"amount": 100.00});
    let full = json!({
        "amount": "100.00",
        "currency": "EUR",
        "payment_method": "tok_1",
        "reference": "order-42",
        "description": "Two tickets",
        "metadata": {"customer": "7"},
    });
    Endpoint::post(path, id, "Pays once under a key")
        .tag("Payments")
        .description(DESCRIPTION)
        .parameter(parameters::idempotency_key())
        .parameter(parameters::prefer())
        .body::<NewPayment>(&[("minimal", minimal), ("full", full)])
        .answer::<PaymentView<'_>>(201, "Paid.", &stored, view::example("COMPLETED"))
        .answer::<PaymentView<'_>>(202, "Not final yet.", &pending, view::example("PROCESSING"))
        .problems_with(&stored, &[Code::PaymentDeclined, Code::GatewayError])
        .problems(&Code::OF_A_BODY)
        .problems(&[Code::IdempotencyKeyMissing, Code::IdempotencyKeyInvalid])
        .problems_with(
            &keyed,
            &[
                Code::ValidationFailed,
                Code::IdempotencyKeyInUse,
                Code::IdempotencyKeyReused,
                Code::IdempotencyKeyExpired,
                Code::VersionNotSupported,
                Code::GatewayUnavailable,
            ],
        )
        .problems(&Code::OF_THE_STORE)
}
