//! The document that describes the interface (OpenAPI 3.1), and the words in which each endpoint
//! describes itself, in its own file.
//!
//! Must not know what any endpoint does.

mod answer;
mod document;
mod endpoint;
mod get;
pub mod headers;
pub mod parameters;
mod security;
pub mod values;

pub use answer::Answer;
pub use document::Document;
pub use endpoint::Endpoint;
pub use get::{documents, get};
