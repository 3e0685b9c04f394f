//! How the document describes the format.

use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::answer::{DECLINED, GATEWAY_ERROR, Paid};
use crate::http::openapi::headers::{CACHE_CONTROL, IDEMPOTENT_REPLAYED, ORIGINAL_REQUEST_ID};
use crate::http::openapi::{Endpoint, parameters, values};
use crate::http::problem::{Code, Problem};

const DESCRIPTION: &str = "\
The first request with a key pays. Once it is paid, declined or voided, each repeat gets the same \
answer, byte for byte. Another request under a known key is refused.\n\n\
500 is not final: the key stays open, and a repeat with the same key resumes the same payment. A \
client that backs off and repeats ends with exactly one charge. A payment that nobody repeats is \
voided in the end; its key answers 502 from then on.";

/// A payment of a user.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
struct NewPay {
    /// Who pays.
    #[schema(schema_with = user)]
    user_id: String,
    /// An exact decimal in major units of the operator's currency.
    #[schema(schema_with = values::asked_amount)]
    amount: String,
    /// Names this one payment: the same on every retry of it, and never used for another.
    #[schema(schema_with = values::key)]
    idempotency_key: String,
}

fn user() -> ObjectBuilder {
    values::text(1, 255)
}

/// The one path.
pub fn documents() -> Vec<Endpoint> {
    let body = json!({"user_id": "user123", "amount": 100.0, "idempotency_key": "unique-key-123"});
    let paid = json!({
        "message": "Payment processed",
        "payment_id": "01a1fdeb-6164-7700-8874-1b49e96ad766",
        "status": "COMPLETED",
    });
    let stored = [IDEMPOTENT_REPLAYED, CACHE_CONTROL, ORIGINAL_REQUEST_ID];
    let endpoint = Endpoint::post("/pay", "pay", "Pays once under a key in the body")
        .tag("Other formats")
        .description(DESCRIPTION)
        .parameter(parameters::prefer_wait())
        .body::<NewPay>(&[("first", body)])
        .answer::<Paid>(200, "Paid, now or earlier.", &stored, paid)
        .problem(&stored, Problem::new(Code::PaymentDeclined).detail(DECLINED))
        .problem(&stored, Problem::new(Code::GatewayError).detail(GATEWAY_ERROR))
        .problems(&Code::OF_A_BODY)
        .problems(&[
            Code::ValidationFailed,
            Code::IdempotencyKeyInUse,
            Code::PaymentPending,
            Code::IdempotencyKeyReused,
            Code::IdempotencyKeyExpired,
            Code::AttemptsFailed,
            Code::VersionNotSupported,
            Code::GatewayUnavailable,
        ])
        .problems(&Code::OF_THE_STORE);
    vec![endpoint]
}
