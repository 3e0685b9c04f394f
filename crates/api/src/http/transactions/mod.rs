//! Announced transactions, as whoever asks later sees them.

mod get;

use super::openapi::Endpoint;

pub use get::{PROCESSING, get};

/// How the document describes these paths.
pub fn documents() -> Vec<Endpoint> {
    vec![get::document()]
}
