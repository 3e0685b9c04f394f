//! The books of a simulated gateway: one entry for each key, for good.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use payonce_domain::gateway::GatewayKey;

/// What a gateway knows of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerEntry {
    /// Money moved.
    Approved {
        /// The charge's id.
        reference: String,
        /// What was asked for.
        request: Vec<u8>,
    },
    /// The issuer refused.
    Declined {
        /// The charge's id.
        reference: String,
        /// Why.
        code: String,
        /// What was asked for.
        request: Vec<u8>,
    },
    /// The key is burnt.
    Voided,
}

/// The entries, in memory. The first execution of a key is its answer for good.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<HashMap<GatewayKey, LedgerEntry>>);

impl Ledger {
    /// The entry of a key; `execute` makes it when the key is new.
    pub fn entry(&self, key: GatewayKey, execute: impl FnOnce() -> LedgerEntry) -> LedgerEntry {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.entry(key).or_insert_with(execute).clone()
    }

    /// The entry of a key that was seen.
    pub fn find(&self, key: GatewayKey) -> Option<LedgerEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// How many charges are live: approved and not voided.
    pub fn live_charges(&self) -> usize {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().filter(|entry| matches!(entry, LedgerEntry::Approved { .. })).count()
    }
}
