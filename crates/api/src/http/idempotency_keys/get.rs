//! `GET /v1/idempotency-keys/{key}`.

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::idempotency::{IdempotencyKey, KeySpace, RecordId, RecordState, Subject};
use payonce_domain::ports::KnownKey;
use serde::Serialize;

use crate::api::Api;
use crate::http::problem::{Code, Problem};
use crate::http::timestamp::rfc3339;
use crate::http::{RequestScope, path_rest};

#[derive(Serialize)]
struct KeyView<'a> {
    key: &'a str,
    state: &'static str,
    payment_id: Option<String>,
    payment: Option<String>,
    first_seen_at: String,
    last_seen_at: String,
    expires_at: Option<String>,
}

impl<'a> From<&'a KnownKey> for KeyView<'a> {
    fn from(KnownKey { record, now }: &'a KnownKey) -> Self {
        let expires_at = match &record.state {
            RecordState::Settled(settlement) => Some(settlement.expires_at),
            RecordState::Purged { expired_at, .. } => Some(*expired_at),
            _ => None,
        };
        let state = match expires_at {
            Some(_) if record.is_expired(*now) => "expired",
            Some(_) => "completed",
            None => "in_progress",
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
