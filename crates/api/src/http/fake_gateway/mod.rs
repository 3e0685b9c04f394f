//! The gateway that this service plays for others, spelled as the gateway protocol wants it.
//!
//! Its errors are the protocol's, not problem documents.

mod books;
mod charge;
mod charge_body;
mod delivery;
mod document;
mod look_up;
mod mode;
mod refusal;
mod start;
mod view;
mod void;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpResponse, Resource, web};
use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::RepositoryError;
use payonce_domain::use_cases::fake_gateway::FakeGateway;
use uuid::Uuid;

use self::refusal::Refusal;
use self::view::error;

use super::spellings;

pub use document::documents;

/// The paths of the gateway, where there is one.
pub fn routes(config: &mut web::ServiceConfig, gateway: Option<&Arc<FakeGateway>>) {
    let Some(gateway) = gateway else {
        return;
    };
    config.app_data(web::Data::from(Arc::clone(gateway)));
    for resource in spellings("/fake-gateway/start") {
        config.service(other_method(resource, "POST").route(web::post().to(start::start)));
    }
    for resource in spellings("/fake-gateway/charges") {
        let resource = other_method(resource, "GET, POST").route(web::post().to(charge::charge));
        config.service(resource.route(web::get().to(books::books)));
    }
    for resource in spellings("/fake-gateway/charges/{key}") {
        config.service(other_method(resource, "GET").route(web::get().to(look_up::look_up)));
    }
    for resource in spellings("/fake-gateway/charges/{key}/void") {
        config.service(other_method(resource, "POST").route(web::post().to(void::void)));
    }
}

/// Answers other methods by naming the one that the path has.
fn other_method(resource: Resource, allow: &'static str) -> Resource {
    let other_method = move || async move {
        let detail = "This path has another method; see the gateway protocol.";
        let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        answer
    };
    resource.default_service(web::to(other_method))
}

/// Reads a key, wherever it stands.
fn key(text: &str) -> Result<GatewayKey, Refusal> {
    let refusal = || Refusal::new("invalid_key", "The key must be one UUID.");
    Uuid::try_parse(text).map(GatewayKey).map_err(|_no_uuid| refusal())
}

/// The books cannot be read or written: a charge may have happened.
fn unavailable(failure: &RepositoryError) -> HttpResponse {
    tracing::error!(cause = ?failure, "the fake gateway's books failed");
    let detail = "The gateway's books do not answer; ask again.";
    error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}
