//! Gateways: one that lives in the process, and one that is reached over HTTP.

mod breaker;
mod charge_request;
mod http;
mod ledger;
mod measured;
mod simulated;

pub use breaker::{BreakerGateway, BreakerSettings, CircuitState};
pub use http::{HttpGateway, HttpGatewaySettings};
pub use ledger::Ledger;
pub use measured::MeasuredGateway;
pub use simulated::{SimulatedGateway, SimulationSettings};
