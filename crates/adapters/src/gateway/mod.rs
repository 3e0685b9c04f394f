//! Gateways: one that lives in the process, and one that is reached over HTTP.

mod breaker;
mod charge_request;
mod http;
mod ledger;
mod simulated;

pub use breaker::{BreakerGateway, BreakerSettings};
pub use http::{HttpGateway, HttpGatewaySettings};
pub use ledger::Ledger;
pub use simulated::{SimulatedGateway, SimulationSettings};
