//! What every format does with what its use case found: a stored answer word for word.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use payonce_domain::failpoints::reach;
use payonce_domain::idempotency::SettledAnswer;
use payonce_domain::payment::Payment;
use payonce_domain::sabotage::{Rule, is_broken};
use payonce_domain::use_cases::PayError;

use super::RequestScope;
use super::header_names::{IDEMPOTENT_REPLAYED, ORIGINAL_REQUEST_ID};
use super::problem::Problem;

/// The head of a stored answer.
pub fn head(settled: &SettledAnswer, is_replay: bool) -> HttpResponseBuilder {
    let answer = &settled.answer;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut head = HttpResponse::build(status);
    let mark = HeaderValue::from_static(if is_replay { "true" } else { "false" });
    head.insert_header((CONTENT_TYPE, answer.content_type.as_str()))
        .insert_header((&IDEMPOTENT_REPLAYED, mark))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    if let Some(location) = &answer.location {
        head.insert_header((LOCATION, location.as_str()));
    }
    if is_replay {
        head.insert_header((&ORIGINAL_REQUEST_ID, settled.request_id.as_str()));
    }
    head
}

/// A stored answer in a format that adds nothing to it.
pub fn respond(settled: &SettledAnswer, is_replay: bool) -> HttpResponse {
    head(settled, is_replay).body(body(settled, is_replay))
}

/// The stored bytes.
pub fn body(settled: &SettledAnswer, is_replay: bool) -> Bytes {
    let stored = &settled.answer.body;
    if is_replay && is_broken(Rule::Verbatim) {
        let parsed = serde_json::from_slice::<serde_json::Value>(stored);
        return parsed.and_then(|it| serde_json::to_vec_pretty(&it)).unwrap_or_default().into();
    }
    reach("before_reply");
    stored.clone()
}

/// Logs why a payment could not be written down.
pub fn log_pending(scope: &RequestScope, payment: &Payment, cause: Option<PayError>) {
    if let Some(cause) = cause {
        let cause = Problem::from_cause(cause).cause_chain();
        tracing::error!(
            request_id = scope.request_id.as_str(),
            payment = %payment.id,
            cause,
            "a payment is left to recovery"
        );
    }
}
