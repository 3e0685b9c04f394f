//! `POST /payments/start`.

use std::time::Duration;

use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::idempotency::{KeySpace, RecordId};
use payonce_domain::payment::{Payment, PaymentStatus};
use payonce_domain::use_cases::{CreatePaymentCommand, CreatePaymentError, CreatePaymentOutcome};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::body;
use crate::api::Api;
use crate::http::RequestScope;
use crate::http::openapi::values;
use crate::http::preferences::Preferences;
use crate::http::problem::{Code, Problem, whole_seconds};
use crate::http::settled_answer;

/// When a client asks again for what is not final.
const RETRY: Duration = Duration::from_secs(2);

/// What is told of an order that was started with another amount.
pub const OTHER_AMOUNT: &str = "This order was started with another amount, which stands.";
/// What is told of an order that is being paid.
pub const IN_USE: &str = "This order is being paid. Repeat the request.";
/// What is told of a gateway out of reach.
pub const UNREACHABLE: &str = "Gateway unreachable";

/// An order whose payment is not final.
#[derive(Serialize, ToSchema)]
#[schema(as = PendingOrder)]
pub struct PendingView {
    #[schema(schema_with = values::uuid)]
    payment_id: String,
    #[schema(schema_with = statuses)]
    status: &'static str,
}

fn statuses() -> ObjectBuilder {
    let pending = [PaymentStatus::Processing, PaymentStatus::NeedsReview];
    values::names(pending.map(PaymentStatus::as_str))
}

/// Pays the order, once for ever.
pub async fn start(
    request: HttpRequest,
    payload: web::Payload,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let body = api.body_limits.read_json(&request, payload).await?;
    let (order, payment) = body::parse(&body, api.default_currency)?;
    let command = CreatePaymentCommand {
        record: RecordId { account: scope.account.clone(), space: KeySpace::Order, key: order },
        request_id: scope.request_id.clone(),
        request: payment,
        wait: api.wait_of(Preferences::read(request.headers())),
        respond_async: false,
    };
    match api.create_payment.execute(command).await.map_err(refusal)? {
        CreatePaymentOutcome::Settled { answer, is_replay } => {
            Ok(settled_answer::respond(&answer, is_replay))
        }
        CreatePaymentOutcome::LeftOpen(_) => Err(unreachable()),
        CreatePaymentOutcome::Pending { payment, cause } => {
            settled_answer::log_pending(&scope, &payment, cause);
            Ok(pending(&payment))
        }
    }
}

fn refusal(error: CreatePaymentError) -> Problem {
    match error {
        CreatePaymentError::GatewayUnavailable => unreachable(),
        CreatePaymentError::KeyReused { .. } => Problem::from(error).detail(OTHER_AMOUNT),
        CreatePaymentError::InUse { .. } => Problem::from(error).detail(IN_USE),
        error => error.into(),
    }
}

fn unreachable() -> Problem {
    Problem::new(Code::GatewayUnavailable).detail(UNREACHABLE).retry_after(RETRY)
}

fn pending(payment: &Payment) -> HttpResponse {
    let view =
        PendingView { payment_id: payment.id.to_string(), status: payment.status().as_str() };
    HttpResponse::Accepted()
        .insert_header((RETRY_AFTER, whole_seconds(RETRY).to_string()))
        .json(view)
}
