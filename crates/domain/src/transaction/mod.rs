//! A transaction that somebody announces and this service processes later, once.

mod contents;
mod state;

pub use contents::{AccountName, TransactionContents, TransactionId, TransactionKey};
pub use state::{Transaction, TransactionState, TransactionVerdict};
