//! The documentation as a page: Swagger UI, from files in the binary.

mod asset;
mod page;

use super::openapi::Endpoint;

pub use asset::asset;
pub use page::page;

/// How the document describes these paths.
pub fn documents() -> Vec<Endpoint> {
    vec![page::document(), asset::document()]
}
