//! Announced transactions, as whoever asks later sees them.

mod get;

pub use get::get;
