//! The format with a key and an opaque payload in its body. It moves no money: it shows that the
//! engine serves any operation.

pub(super) mod body;
mod document;
mod post;

use actix_web::middleware::from_fn;
use actix_web::web;

use super::{at, deadline};

pub use document::documents;

/// The path of the format.
pub fn routes(config: &mut web::ServiceConfig) {
    at(config, "/api/payment/v1/payments", "POST", |resource| {
        resource.route(web::post().to(post::store)).wrap(from_fn(deadline::end_in_time))
    });
}
