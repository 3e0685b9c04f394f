//! The canonical payments.

mod answer;
mod create;
pub(super) mod create_body;
mod create_document;
mod events;
mod get;
mod list;
mod new_payment;
mod view;

use super::openapi::Endpoint;

pub use answer::final_answer;
pub use create::create;
pub use events::events;
pub use get::get;
pub use list::list;
pub use view::{payment_json, status};

/// How the document describes these paths.
pub fn documents() -> Vec<Endpoint> {
    let mut all = create_document::documents();
    all.extend([list::document(), get::document(), events::document()]);
    all
}
