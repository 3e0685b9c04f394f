//! The format with user, amount and key in its body: the key stays open until the payment
//! succeeds.

mod answer;
pub(super) mod body;
mod document;
mod post;

use actix_web::middleware::from_fn;
use actix_web::web;

use super::{at, deadline};

pub use answer::final_answer;
pub use document::documents;

/// The path of the format.
pub fn routes(config: &mut web::ServiceConfig) {
    at(config, "/pay", "POST", |resource| {
        resource.route(web::post().to(post::pay)).wrap(from_fn(deadline::end_in_time))
    });
}
