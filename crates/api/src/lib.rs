//! The Payonce service.
//!
//! [`http`] is the interface, [`settings`] what an operator sets, [`wiring`] the only place that
//! names adapters, [`telemetry`] what is seen of it from outside, [`server`] the
//! listener and its end, [`cli`] the command line.

pub mod api;
pub mod cli;
mod commands;
#[cfg(any(feature = "failpoints", feature = "sabotage"))]
mod faults;
pub mod http;
mod opening;
pub mod server;
pub mod settings;
pub mod telemetry;
pub mod tls;
pub mod wiring;
pub mod workers;
