//! What is known of a key.

mod get;

pub use get::get;
