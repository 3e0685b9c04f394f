//! What every request gets: an id, and problem documents with that id.

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use payonce_domain::account::{AccountId, RequestId};
use uuid::Uuid;

use super::caller::AsksFor;
use super::problem::{Code, Problem, Shape};
use super::route_label;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who asks, under which id.
#[derive(Debug, Clone)]
pub struct RequestScope {
    /// The request's id: the client's own when it is a sane token.
    pub request_id: RequestId,
    /// The account that the request acts for.
    pub account: AccountId,
}

/// The request's id: the client's own when it is a sane token.
pub fn request_id_of(request: &ServiceRequest) -> Result<RequestId, Problem> {
    let sent = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    match sent.and_then(|id| id.parse().ok()) {
        Some(request_id) => Ok(request_id),
        None => new_request_id(),
    }
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
        let asks_for = extensions.get::<AsksFor>();
        let scope = asks_for.and_then(|asks_for| {
            let (request_id, account) = (asks_for.request_id().clone(), asks_for.account()?);
            Some(Self { request_id, account: account.clone() })
        });
        std::future::ready(scope.ok_or_else(|| Problem::new(Code::InternalError)))
    }
}

/// Tells the id in an answer's head, and in its body where that is a problem.
pub fn show_request_id(
    response: ServiceResponse<BoxBody>,
    request_id: &RequestId,
) -> ServiceResponse<BoxBody> {
    let mut response = with_problem_body(response, request_id);
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
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
