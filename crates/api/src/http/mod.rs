//! The HTTP interface: every path, and the way from a request to a use case and back.
//!
//! A route reads a request, calls one use case or query, and spells the answer. It must not
//! decide anything about keys or payments.

mod answers;
mod authenticate;
mod body;
mod caller;
mod cursor;
mod deadline;
mod docs;
mod fake_gateway;
mod fields;
#[cfg(test)]
mod fuzz;
mod gate;
mod header_names;
mod health;
mod idempotency_keys;
mod json_object;
mod json_values;
mod key_header;
mod measure;
mod metrics;
mod middleware;
mod opaque;
mod openapi;
mod orders;
mod path_rest;
mod pay;
mod payments;
mod preferences;
pub mod problem;
mod query;
mod rate_limit;
mod request_line;
mod request_scope;
mod route_label;
mod settled_answer;
mod timestamp;
mod trace;
mod transactions;
mod unread;
mod webhooks;

use std::sync::Arc;

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use payonce_domain::use_cases::fake_gateway::FakeGateway;

pub use answers::JsonAnswers;
pub use authenticate::Authentication;
pub use body::BodyLimits;
pub use deadline::RequestDeadline;
pub use gate::Readiness;
pub use measure::RequestMetrics;
pub use middleware::around_routes;
pub use openapi::Document;
pub use payments::payment_json;
pub use preferences::Preferences;
pub use request_scope::RequestScope;
pub use timestamp::rfc3339;
pub use webhooks::{WebhookSignatures, Webhooks};

use problem::{Code, Problem};

/// Every path of the service, those of the gateway where it plays one.
///
/// Paths without variables come first: they are compared, while each of the others costs every
/// request that gets past it a regular expression.
pub fn routes(config: &mut web::ServiceConfig, gateway: Option<&Arc<FakeGateway>>) {
    let in_time = || from_fn(deadline::end_in_time);
    at(config, "/v1/payments", "GET, POST", |resource| {
        let resource = resource.route(web::post().to(payments::create));
        resource.route(web::get().to(payments::list)).wrap(in_time())
    });
    at(config, "/payments", "POST", |resource| {
        resource.route(web::post().to(payments::create)).wrap(in_time())
    });
    at(config, "/v1/webhooks/transactions", "POST", |resource| {
        resource.route(web::post().to(webhooks::receive)).wrap(in_time())
    });
    config.configure(opaque::routes).configure(pay::routes).configure(orders::routes);
    at(config, "/", "GET", |resource| resource.route(web::get().to(health::overview)));
    at(config, "/healthz", "GET", |resource| resource.route(web::get().to(health::live)));
    at(config, "/readyz", "GET", |resource| resource.route(web::get().to(health::ready)));
    at(config, "/metrics", "GET", |resource| resource.route(web::get().to(metrics::metrics)));
    at(config, "/openapi.json", "GET", |resource| resource.route(web::get().to(openapi::get)));
    at(config, "/docs", "GET", |resource| resource.route(web::get().to(docs::page)));
    at(config, "/v1/payments/{id}", "GET", |resource| {
        resource.route(web::get().to(payments::get)).wrap(in_time())
    });
    at(config, "/v1/payments/{id}/events", "GET", |resource| {
        resource.route(web::get().to(payments::events)).wrap(in_time())
    });
    at(config, "/v1/idempotency-keys/{key:.+}", "GET", |resource| {
        resource.route(web::get().to(idempotency_keys::get)).wrap(in_time())
    });
    at(config, "/v1/transactions/{transaction_id:.+}", "GET", |resource| {
        resource.route(web::get().to(transactions::get)).wrap(in_time())
    });
    at(config, "/docs/{file}", "GET", |resource| resource.route(web::get().to(docs::asset)));
    fake_gateway::routes(config, gateway);
}

/// Serves a path, with and without a slash at its end, that answers other methods by naming those
/// it has.
fn at<S: HttpServiceFactory + 'static>(
    config: &mut web::ServiceConfig,
    path: &str,
    allow: &'static str,
    service: impl Fn(Resource) -> S,
) {
    for resource in spellings(path) {
        let other_method = move |request: HttpRequest, payload: web::Payload| async move {
            unread::hold(&request, payload.into_inner());
            Err::<HttpResponse, _>(Problem::new(Code::MethodNotAllowed).allow(allow))
        };
        config.service(service(resource.default_service(web::to(other_method))));
    }
}

/// A path with and without a slash at its end.
fn spellings(path: &str) -> Vec<Resource> {
    let with_slash = format!("{path}/");
    match path.contains('{') {
        true => vec![web::resource([path.to_owned(), with_slash])],
        // Apart, they are compared; together they would be a regular expression.
        false => vec![web::resource(path), web::resource(with_slash)],
    }
}

/// Answers paths that there are none of.
pub async fn no_such_route(
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    unread::hold(&request, payload.into_inner());
    Err(Problem::new(Code::RouteNotFound))
}
