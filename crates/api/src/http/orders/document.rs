//! How the document describes `POST /payments/start`.

use serde_json::json;
use utoipa::ToSchema;

use super::answer::{DECLINED, GATEWAY_ERROR, PaidOrder};
use super::start::{IN_USE, OTHER_AMOUNT, PendingView, UNREACHABLE};
use crate::http::openapi::headers::{
    CACHE_CONTROL, IDEMPOTENT_REPLAYED, ORIGINAL_REQUEST_ID, RETRY_AFTER,
};
use crate::http::openapi::{Endpoint, parameters, values};
use crate::http::problem::{Code, Problem};

const DESCRIPTION: &str = "\
An order is paid once for ever: a repeat gets the same payment, or the same error, byte for byte. \
Another amount for a known order is refused.\n\n\
202 and 503 are not final: repeat the request. Where the gateway could not be reached, the repeat \
resumes the same payment.";

/// An order to be paid.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
struct NewOrder {
    /// The order; it names its payment.
    #[schema(schema_with = values::key)]
    order_id: String,
    /// An exact decimal in major units of the operator's currency.
    #[schema(schema_with = values::asked_amount)]
    amount: String,
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let id = "01a1fdeb-6164-7700-8874-1b49e96ad766";
    let paid = json!({"payment_id": id});
    let pending = json!({"payment_id": id, "status": "PROCESSING"});
    let stored = [IDEMPOTENT_REPLAYED, CACHE_CONTROL, ORIGINAL_REQUEST_ID];
    Endpoint::post("/payments/start", "startPayment", "Pays an order once")
        .tag("Other formats")
        .description(DESCRIPTION)
        .parameter(parameters::prefer_wait())
        .body::<NewOrder>(&[("first", json!({"order_id": "ORD123", "amount": 100.0}))])
        .answer::<PaidOrder>(200, "Paid, now or earlier.", &stored, paid)
        .answer::<PendingView>(202, "Not final yet.", &[RETRY_AFTER], pending)
        .problem(&stored, Problem::new(Code::PaymentDeclined).detail(DECLINED))
        .problem(&stored, Problem::new(Code::GatewayError).detail(GATEWAY_ERROR))
        .problem(&[], Problem::new(Code::IdempotencyKeyInUse).detail(IN_USE))
        .problem(&[], Problem::new(Code::IdempotencyKeyReused).detail(OTHER_AMOUNT))
        .problem(&[], Problem::new(Code::GatewayUnavailable).detail(UNREACHABLE))
        .problems(&Code::OF_A_BODY)
        .problems(&[Code::ValidationFailed, Code::VersionNotSupported])
        .problems(&Code::OF_THE_STORE)
}
