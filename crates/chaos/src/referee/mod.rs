//! The gateway of every run, and its books: one key, at most one live charge.
//!
//! It speaks the gateway protocol as shared with the service, misbehaves as it is told, and never
//! lies in its books: they are what the service is judged by.

mod behaviour;
mod ledger;
mod server;
mod wire;

pub use behaviour::Behaviour;
#[cfg(test)]
pub use ledger::Contents;
pub use ledger::Execution;
pub use server::Referee;
