//! Clients of the service: they know the wire, keep trying, and write down what they saw.

mod load;
mod payer;
mod sender;
pub mod wire;

pub use load::{Load, LoadTerms, Shared};
pub use payer::{ask, body_of, note};
pub use wire::Seen;
