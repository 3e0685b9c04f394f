//! `POST /pay`.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::idempotency::{KeySpace, RecordId};
use payonce_domain::use_cases::{CreatePaymentCommand, CreatePaymentOutcome};

use super::body;
use crate::api::Api;
use crate::http::RequestScope;
use crate::http::preferences::Preferences;
use crate::http::problem::{Code, Problem};
use crate::http::settled_answer;

/// When a client tries again; it backs off from there.
const RETRY: Duration = Duration::from_secs(1);

/// Pays, or resumes what an earlier request with the key could not end.
pub async fn pay(
    request: HttpRequest,
    payload: web::Payload,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let body = api.body_limits.read_json(&request, payload).await?;
    let (key, payment) = body::parse(&body, api.default_currency)?;
    let command = CreatePaymentCommand {
        record: RecordId { account: scope.account.clone(), space: KeySpace::Key, key },
        request_id: scope.request_id.clone(),
        request: payment,
        wait: api.wait_of(Preferences::read(request.headers())),
        respond_async: false,
    };
    match api.create_payment.execute(command).await? {
        CreatePaymentOutcome::Settled { answer, is_replay } => {
            Ok(settled_answer::respond(&answer, is_replay))
        }
        CreatePaymentOutcome::LeftOpen(_) => {
            Err(Problem::new(Code::AttemptsFailed).retry_after(RETRY))
        }
        CreatePaymentOutcome::Pending { payment, cause } => {
            let code = if cause.is_some() { Code::AttemptsFailed } else { Code::PaymentPending };
            settled_answer::log_pending(&scope, &payment, cause);
            Err(Problem::new(code).retry_after(RETRY))
        }
    }
}
