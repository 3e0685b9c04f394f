//! `GET /v1/idempotency-keys/{key}`.

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::idempotency::{IdempotencyKey, KeySpace, RecordId, RecordState, Subject};
use payonce_domain::ports::KnownKey;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::api::Api;
use crate::http::openapi::{Endpoint, parameters, values};
use crate::http::problem::{Code, Problem};
use crate::http::timestamp::rfc3339;
use crate::http::{RequestScope, path_rest};

/// What is known of a key.
#[derive(Serialize, ToSchema)]
#[schema(as = IdempotencyKey)]
struct KeyView<'a> {
    key: &'a str,
    #[schema(schema_with = states)]
    state: &'static str,
    /// Missing where the key stands for an operation that moves no money.
    #[schema(schema_with = values::optional_uuid, required)]
    payment_id: Option<String>,
    /// Where the payment is read.
    #[schema(required)]
    payment: Option<String>,
    #[schema(schema_with = values::time)]
    first_seen_at: String,
    #[schema(schema_with = values::time)]
    last_seen_at: String,
    /// When the stored answer stops being replayed, once there is one.
    #[schema(schema_with = values::optional_time, required)]
    expires_at: Option<String>,
}

const IN_PROGRESS: &str = "in_progress";
const COMPLETED: &str = "completed";
const EXPIRED: &str = "expired";

fn states() -> ObjectBuilder {
    values::names([IN_PROGRESS, COMPLETED, EXPIRED])
}

impl<'a> From<&'a KnownKey> for KeyView<'a> {
    fn from(KnownKey { record, now }: &'a KnownKey) -> Self {
        let expires_at = match &record.state {
            RecordState::Settled(settlement) => Some(settlement.expires_at),
            RecordState::Purged { expired_at, .. } => Some(*expired_at),
            _ => None,
        };
        let state = match expires_at {
            Some(_) if record.is_expired(*now) => EXPIRED,
            Some(_) => COMPLETED,
            None => IN_PROGRESS,
        };
        let payment = (record.subject == Subject::Payment).then_some(record.payment_id);
        Self {
            key: record.id.key.as_str(),
            state,
            payment_id: payment.map(|id| id.to_string()),
            payment: payment.map(|id| format!("/v1/payments/{id}")),
            first_seen_at: rfc3339(record.first_seen_at),
            last_seen_at: rfc3339(record.last_seen_at),
            expires_at: expires_at.map(rfc3339),
        }
    }
}

/// The key's state and payment; its stored answer is not shown here.
pub async fn get(
    request: HttpRequest,
    key: web::Path<String>,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let not_seen = || Problem::new(Code::IdempotencyKeyNotFound);
    let key = IdempotencyKey::from_body(path_rest::without_own_slash(&request, &key))
        .map_err(|_no_key| not_seen())?;
    let record = RecordId { account: scope.account, space: KeySpace::Key, key };
    let known = api.keys.find(&record).await?.ok_or_else(not_seen)?;
    Ok(HttpResponse::Ok().json(KeyView::from(&known)))
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let known = json!({
        "key": "order-42",
        "state": COMPLETED,
        "payment_id": "01a1fdeb-6164-7700-8874-1b49e96ad766",
        "payment": "/v1/payments/01a1fdeb-6164-7700-8874-1b49e96ad766",
        "first_seen_at": "2026-11-21T11:43:43.973786Z",
        "last_seen_at": "2026-11-21T11:43:43.973786Z",
        "expires_at": "2026-11-22T11:43:44.028952Z",
    });
    let what = "The key, percent-encoded and without the quotes it may have been sent in.";
    Endpoint::get("/v1/idempotency-keys/{key}", "getIdempotencyKey", "What is known of a key")
        .tag("Idempotency keys")
        .description("Its stored answer is not shown here: repeat the request to get it.")
        .parameter(parameters::path("key", what, values::key()))
        .answer::<KeyView<'_>>(200, "The key was seen.", &[], known)
        .problems(&[Code::IdempotencyKeyNotFound])
        .problems(&Code::OF_THE_STORE)
}
