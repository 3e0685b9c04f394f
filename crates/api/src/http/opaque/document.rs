//! How the document describes the format.

use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::post::Stored;
use crate::http::openapi::headers::{CACHE_CONTROL, IDEMPOTENT_REPLAYED, ORIGINAL_REQUEST_ID};
use crate::http::openapi::{Endpoint, values};
use crate::http::problem::{Code, FieldError, Problem};

const DESCRIPTION: &str = "\
Moves no money. The first request with an id is stored with its answer; each repeat gets that \
answer, byte for byte. Other data under a known id is refused.";

/// Something to be stored once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
struct NewStored {
    /// Names this one operation: the same on every retry of it, and never used for another.
    #[schema(schema_with = values::key)]
    idempotency_id: String,
    /// Anything but a card number; it comes back in the answer.
    #[schema(schema_with = payload)]
    request_data: String,
}

fn payload() -> ObjectBuilder {
    values::string().min_length(Some(1))
}

/// The one path.
pub fn documents() -> Vec<Endpoint> {
    let body = json!({"idempotency_id": "123", "request_data": "!whGRZ4q%B*x7x7uS"});
    let answer = json!({"data": {"response_data": "!whGRZ4q%B*x7x7uS"}, "message": "Success"});
    let missing = FieldError {
        field: "idempotency_id".to_owned(),
        code: "required",
        detail: "is required".to_owned(),
    };
    let stored = [IDEMPOTENT_REPLAYED, CACHE_CONTROL, ORIGINAL_REQUEST_ID];
    let path = "/api/payment/v1/payments";
    let endpoint = Endpoint::post(path, "storeOnce", "Stores once under a key in the body")
        .tag("Other formats")
        .description(DESCRIPTION)
        .body::<NewStored>(&[("first", body)])
        .answer::<Stored<'_>>(201, "Stored, now or earlier.", &stored, answer)
        .problems(&Code::OF_A_BODY)
        .problem(&[], Problem::invalid_fields(vec![missing]))
        .problems(&[Code::IdempotencyKeyReused, Code::ResourceExists])
        .problems(&[Code::VersionNotSupported])
        .problems(&Code::OF_THE_STORE);
    vec![endpoint]
}
