//! What every request passes on its way to its route and back: an id and a line of the log, a span, a
//! measurement; then readiness, proof, limits.
//!
//! All of it is one middleware, because each costs every request an allocation, also one that is
//! switched off. It only orders the steps; what each of them decides is its own file's.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument;

use super::authenticate::{authenticate, permit};
use super::caller::AsksFor;
use super::gate;
use super::problem::{Code, Problem};
use super::rate_limit::{self, limit_rate};
use super::request_line::RequestLine;
use super::request_scope::{request_id_of, show_request_id};
use super::route_label::RouteLabel;
use super::{trace, unread};
use crate::api::Api;

/// The middleware.
pub async fn around_routes(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return Ok(request.error_response(Problem::new(Code::InternalError)));
    };
    let request_id = match request_id_of(&request) {
        Ok(request_id) => request_id,
        Err(problem) => return Ok(request.error_response(problem)),
    };
    let asks_for = AsksFor::begin(request_id.clone());
    if api.authentication.is_none() {
        asks_for.account_of_all(api.account.clone());
    }
    let label = RouteLabel::of(&request);
    let mut line = RequestLine::begin(&label, &asks_for);
    let span = trace::span_of(&request, &label, &request_id);
    request.extensions_mut().insert(asks_for);
    unread::hold_if_unexpected(&mut request);
    let response = measured(&api, label, request, next).instrument(span.clone()).await;
    let response = response.inspect_err(|error| {
        line.answered(error.as_response_error().status_code(), &HeaderMap::new());
    })?;
    trace::answered(&span, &response);
    let mut response = show_request_id(response, &request_id);
    rate_limit::show(&mut response);
    line.answered(response.status(), response.headers());
    Ok(unread::hand_over(response))
}

async fn measured(
    api: &Api,
    label: RouteLabel,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut measured = api.request_metrics.begin(label);
    let response = match admit(api, &mut request).await {
        Ok(_inside) => next.call(request).await,
        Err(problem) => Ok(request.error_response(problem)),
    };
    measured.answered(&response);
    response
}

/// Lets a request in, or says why not.
async fn admit(
    api: &Api,
    request: &mut ServiceRequest,
) -> Result<Option<TaskTrackerToken>, Problem> {
    let inside = gate::enter(request)?;
    if api.authentication.is_some() || api.rate_limiter.is_some() {
        // Apart: its future is larger than that of all the rest, which is moved with every request.
        Box::pin(prove(api, request)).await?;
    }
    Ok(inside)
}

/// Finds out who asks, whether they ask too often, and whether they may ask for this.
async fn prove(api: &Api, request: &mut ServiceRequest) -> Result<(), Problem> {
    let proved = async {
        authenticate(api, request).await?;
        limit_rate(api, request).await?;
        permit(api, request)
    };
    let proved = proved.await;
    if proved.is_err() {
        unread::hold_rest(request).await;
    }
    proved
}
