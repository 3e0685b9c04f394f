//! The format with a key and an opaque payload in its body. It moves no money: it shows that the
//! engine serves any operation.

pub(super) mod body;
mod document;
mod post;

use actix_web::middleware::from_fn;
use actix_web::web;

use super::{deadline, resource};

pub use document::documents;

/// The path of the format.
pub fn routes(config: &mut web::ServiceConfig) {
    let opaque = resource("/api/payment/v1/payments", "POST").route(web::post().to(post::store));
    config.service(opaque.wrap(from_fn(deadline::end_in_time)));
}
