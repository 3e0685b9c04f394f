//! The format whose key is the order itself.

mod answer;
mod body;
mod get;
mod start;

use actix_web::middleware::from_fn;
use actix_web::web;

use super::{deadline, resource};

pub use answer::final_answer;

/// The paths of the format.
pub fn routes(config: &mut web::ServiceConfig) {
    let start = resource("/payments/start", "POST").route(web::post().to(start::start));
    let order = resource("/payments/start/{order_id}", "GET").route(web::get().to(get::get));
    config
        .service(start.wrap(from_fn(deadline::end_in_time)))
        .service(order.wrap(from_fn(deadline::end_in_time)));
}
