//! What is known of a key.

mod get;

use super::openapi::Endpoint;

pub use get::get;

/// How the document describes these paths.
pub fn documents() -> Vec<Endpoint> {
    vec![get::document()]
}
