//! The rules of paying once.
//!
//! Vocabulary, in reading order: [`money`] (amounts that cannot be wrong), [`account`] (whose
//! keys they are), [`api_key`] (who may ask in its name), [`idempotency`] (keys, fingerprints and the record that remembers an answer),
//! [`payment`] (what a client asked for and what became of it), [`gateway`] (what a gateway may
//! say and what may be concluded from it), [`transaction`] (what is announced now and processed
//! later), [`ports`] (what the outside must provide) and [`use_cases`] (what the service does).
//! [`failpoints`] and [`sabotage`] are where the harness of faults gets in, and nothing without it.
//!
//! This crate must not know a database, a wire format, a web framework or a wall clock. It uses
//! tokio for tasks, timers and wake-ups only, and tracing so that a task of its own stays part of the
//! trace that it began in.

pub mod account;
pub mod api_key;
pub mod card_data;
pub mod failpoints;
pub mod gateway;
pub mod idempotency;
pub mod money;
pub mod payment;
pub mod ports;
pub mod retry;
pub mod sabotage;
#[cfg(test)]
mod simulation;
pub mod text;
pub mod transaction;
pub mod use_cases;
