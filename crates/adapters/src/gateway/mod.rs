//! Gateways.

mod ledger;
mod simulated;

pub use ledger::{Ledger, LedgerEntry};
pub use simulated::{SimulatedGateway, SimulationSettings};
