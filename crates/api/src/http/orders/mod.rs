//! The format whose key is the order itself.

mod answer;
pub(super) mod body;
mod document;
mod get;
mod start;

use actix_web::middleware::from_fn;
use actix_web::web;

use super::openapi::Endpoint;
use super::{at, deadline};

pub use answer::final_answer;

/// How the document describes these paths.
pub fn documents() -> Vec<Endpoint> {
    vec![document::document(), get::document()]
}

/// The paths of the format.
pub fn routes(config: &mut web::ServiceConfig) {
    at(config, "/payments/start", "POST", |resource| {
        resource.route(web::post().to(start::start)).wrap(from_fn(deadline::end_in_time))
    });
    at(config, "/payments/start/{order_id}", "GET", |resource| {
        resource.route(web::get().to(get::get)).wrap(from_fn(deadline::end_in_time))
    });
}
