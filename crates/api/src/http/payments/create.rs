//! `POST /v1/payments` and `POST /payments`.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue, LOCATION, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::idempotency::{KeySpace, RecordId, SettledAnswer};
use payonce_domain::payment::Payment;
use payonce_domain::use_cases::{CreatePaymentCommand, CreatePaymentOutcome};

use super::{create_body, view};
use crate::api::Api;
use crate::http::RequestScope;
use crate::http::header_names::{
    IDEMPOTENCY_EXPIRES, IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED,
};
use crate::http::key_header::KeyHeader;
use crate::http::preferences::Preferences;
use crate::http::problem::{Problem, whole_seconds};
use crate::http::settled_answer;
use crate::http::timestamp::rfc3339;

/// When a client looks again at a payment that is not final.
const PENDING_RETRY: Duration = Duration::from_secs(2);

/// Creates a payment, or replays the answer that its key already has.
pub async fn create(
    request: HttpRequest,
    payload: web::Payload,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let body = api.body_limits.read_json(&request, payload).await?;
    let KeyHeader { key, echo } = KeyHeader::read(request.headers())?;
    let preferences = Preferences::read(request.headers());
    let command = CreatePaymentCommand {
        request: create_body::parse(&body, api.default_currency)
            .map_err(|problem| problem.key_echo(echo.clone()))?,
        record: RecordId { account: scope.account.clone(), space: KeySpace::Key, key },
        request_id: scope.request_id.clone(),
        wait: api.wait_of(preferences),
        respond_async: preferences.respond_async,
    };
    let outcome = api.create_payment.execute(command).await;
    match outcome.map_err(|error| Problem::from(error).key_echo(echo.clone()))? {
        CreatePaymentOutcome::Settled { answer, is_replay } => {
            Ok(settled(&answer, is_replay, echo))
        }
        // Of this operation none is left open: what failed is voided or left to recovery.
        CreatePaymentOutcome::LeftOpen(payment) => {
            Ok(pending(&payment, preferences.respond_async, echo))
        }
        CreatePaymentOutcome::Pending { payment, cause } => {
            settled_answer::log_pending(&scope, &payment, cause);
            Ok(pending(&payment, preferences.respond_async, echo))
        }
    }
}

fn settled(settled: &SettledAnswer, is_replay: bool, echo: HeaderValue) -> HttpResponse {
    settled_answer::head(settled, is_replay)
        .insert_header((&IDEMPOTENCY_KEY, echo))
        .insert_header((&IDEMPOTENCY_EXPIRES, rfc3339(settled.expires_at)))
        .body(settled_answer::body(settled, is_replay))
}

fn pending(payment: &Payment, respond_async: bool, echo: HeaderValue) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    if respond_async {
        response.insert_header((&PREFERENCE_APPLIED, "respond-async"));
    }
    response
        .content_type(mime::APPLICATION_JSON)
        .insert_header((&IDEMPOTENCY_KEY, echo))
        .insert_header((&IDEMPOTENT_REPLAYED, "false"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((LOCATION, view::location(payment)))
        .insert_header((RETRY_AFTER, whole_seconds(PENDING_RETRY).to_string()))
        .body(view::body(payment))
}
