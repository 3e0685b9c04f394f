//! What every request gets: an id, one log line, and problem documents with that id.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use payonce_domain::account::{AccountId, RequestId};
use uuid::Uuid;

use super::caller::AsksFor;
use super::problem::{Code, Problem, Shape};
use super::request_line::RequestLine;
use super::{rate_limit, route_label, unread};
use crate::api::Api;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who asks, under which id.
#[derive(Debug, Clone)]
pub struct RequestScope {
    /// The request's id: the client's own when it is a sane token.
    pub request_id: RequestId,
    /// The account that the request acts for.
    pub account: AccountId,
}

fn request_id_of(request: &ServiceRequest) -> Result<RequestId, Problem> {
    let sent = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    match sent.and_then(|id| id.parse().ok()) {
        Some(request_id) => Ok(request_id),
        None => new_request_id(),
    }
}

/// The one account, where no keys are asked for; nobody's yet, where they are.
fn asks_for(request: &ServiceRequest) -> Result<AsksFor, Problem> {
    let api = request.app_data::<web::Data<Api>>();
    let api = api.ok_or_else(|| Problem::new(Code::InternalError))?;
    let asks_for = AsksFor::default();
    if api.authentication.is_none() {
        asks_for.account_of_all(api.account.clone());
    }
    Ok(asks_for)
}

#[expect(clippy::disallowed_methods, reason = "a request's id is no business of the domain")]
fn new_request_id() -> Result<RequestId, Problem> {
    let mut id = Uuid::encode_buffer();
    let id = Uuid::now_v7().hyphenated().encode_lower(&mut id);
    id.parse().map_err(|error| Problem::new(Code::InternalError).cause(error))
}

impl FromRequest for RequestScope {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    /// Fails where nobody is known to ask: a route that was reached without proof serves nobody.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        let request_id = extensions.get::<RequestId>().cloned();
        let account = extensions.get::<AsksFor>().and_then(AsksFor::account).cloned();
        let scope = request_id.zip(account);
        let scope = scope.map(|(request_id, account)| Self { request_id, account });
        std::future::ready(scope.ok_or_else(|| Problem::new(Code::InternalError)))
    }
}

/// The outermost middleware.
pub async fn in_request_scope(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request_id, asks_for) = match (request_id_of(&request), asks_for(&request)) {
        (Ok(request_id), Ok(asks_for)) => (request_id, asks_for),
        (Err(problem), _) | (_, Err(problem)) => return Ok(request.error_response(problem)),
    };
    request.extensions_mut().insert(request_id.clone());
    request.extensions_mut().insert(asks_for.clone());
    let mut line = RequestLine::begin(&request, request_id.clone(), asks_for);
    unread::hold_if_unexpected(&mut request);
    let response = next.call(request).await.inspect_err(|error| {
        line.answered(error.as_response_error().status_code(), &HeaderMap::new());
    });
    let response = response?.map_into_boxed_body();
    let mut response = with_problem_body(response, &request_id);
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    rate_limit::show(&mut response);
    line.answered(response.status(), response.headers());
    Ok(unread::hand_over(response))
}

fn with_problem_body(
    response: ServiceResponse<BoxBody>,
    request_id: &RequestId,
) -> ServiceResponse<BoxBody> {
    let Some(error) = response.response().error() else {
        return response;
    };
    let request = response.request();
    let is_post = request.method() == Method::POST;
    let shape = Shape::of_route(is_post, route_label::pattern(request).as_deref());
    let body = match error.as_error::<Problem>() {
        Some(problem) => {
            if let Some(cause) = problem.cause_chain() {
                tracing::error!(request_id = request_id.as_str(), cause, "{problem}");
            }
            shape.spell(problem, request_id)
        }
        None if error.as_response_error().status_code().is_server_error() => {
            tracing::error!(request_id = request_id.as_str(), cause = %error, "internal error");
            shape.spell(&Problem::new(Code::InternalError), request_id)
        }
        None => {
            let problem = Problem::new(Code::MalformedBody).detail(error.to_string());
            shape.spell(&problem, request_id)
        }
    };
    response.into_response(body)
}
