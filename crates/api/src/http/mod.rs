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
mod health;
mod idempotency_keys;
mod json_object;
mod json_values;
mod key_header;
mod measure;
mod metrics;
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

use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::use_cases::fake_gateway::FakeGateway;

pub use answers::JsonAnswers;
pub use authenticate::{Authentication, authenticate, permit};
pub use body::BodyLimits;
pub use deadline::RequestDeadline;
pub use gate::{Readiness, close_while_not_ready};
pub use measure::{RequestMetrics, measure};
pub use openapi::Document;
pub use payments::payment_json;
pub use preferences::Preferences;
pub use rate_limit::limit_rate;
pub use request_scope::{RequestScope, in_request_scope};
pub use timestamp::rfc3339;
pub use trace::in_request_span;
pub use webhooks::{WebhookSignatures, Webhooks};

use problem::{Code, Problem};

/// Every path of the service, those of the gateway where it plays one.
pub fn routes(config: &mut web::ServiceConfig, gateway: Option<&Arc<FakeGateway>>) {
    let in_time = || from_fn(deadline::end_in_time);
    let payments = resource("/v1/payments", "GET, POST")
        .route(web::post().to(payments::create))
        .route(web::get().to(payments::list));
    let payments_alias = resource("/payments", "POST").route(web::post().to(payments::create));
    let payment = resource("/v1/payments/{id}", "GET").route(web::get().to(payments::get));
    let events = resource("/v1/payments/{id}/events", "GET").route(web::get().to(payments::events));
    let key = resource("/v1/idempotency-keys/{key:.+}", "GET")
        .route(web::get().to(idempotency_keys::get));
    let webhook =
        resource("/v1/webhooks/transactions", "POST").route(web::post().to(webhooks::receive));
    let transaction = resource("/v1/transactions/{transaction_id:.+}", "GET")
        .route(web::get().to(transactions::get));
    config
        .service(payments.wrap(in_time()))
        .service(payments_alias.wrap(in_time()))
        .service(payment.wrap(in_time()))
        .service(events.wrap(in_time()))
        .service(key.wrap(in_time()))
        .configure(opaque::routes)
        .configure(pay::routes)
        .configure(orders::routes)
        .service(webhook.wrap(in_time()))
        .service(transaction.wrap(in_time()))
        .service(resource("/", "GET").route(web::get().to(health::overview)))
        .service(resource("/healthz", "GET").route(web::get().to(health::live)))
        .service(resource("/readyz", "GET").route(web::get().to(health::ready)))
        .service(resource("/metrics", "GET").route(web::get().to(metrics::metrics)))
        .service(resource("/openapi.json", "GET").route(web::get().to(openapi::get)))
        .service(resource("/docs", "GET").route(web::get().to(docs::page)))
        .service(resource("/docs/{file}", "GET").route(web::get().to(docs::asset)));
    fake_gateway::routes(config, gateway);
}

/// A path, with and without a slash at its end, that answers other methods by naming those it has.
fn resource(path: &str, allow: &'static str) -> actix_web::Resource {
    let other_method = move |request: HttpRequest, payload: web::Payload| async move {
        unread::hold(&request, payload.into_inner());
        Err::<HttpResponse, _>(Problem::new(Code::MethodNotAllowed).allow(allow))
    };
    web::resource([path.to_owned(), format!("{path}/")]).default_service(web::to(other_method))
}

/// Answers paths that there are none of.
pub async fn no_such_route(
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    unread::hold(&request, payload.into_inner());
    Err(Problem::new(Code::RouteNotFound))
}
