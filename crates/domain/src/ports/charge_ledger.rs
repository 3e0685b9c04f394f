//! The books of a gateway: one entry for each key, for good.

use std::sync::Arc;

use async_trait::async_trait;

use super::RepositoryError;
use crate::gateway::GatewayKey;

/// What a charge asks for, as the caller spelled it. Two requests under one key are the same when
/// these are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeContents {
    /// How much.
    pub amount: String,
    /// In which currency.
    pub currency: String,
    /// By what means.
    pub payment_method: Option<String>,
}

/// A charge that was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerCharge {
    /// The gateway's own id of it.
    pub id: String,
    /// What was asked for.
    pub contents: ChargeContents,
    /// The caller's label; the first one stays.
    pub reference: Option<String>,
    /// Why no money moved; `None` where it did.
    pub decline_code: Option<String>,
}

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerEntry {
    /// A charge.
    Charge(Arc<LedgerCharge>),
    /// Nothing: the key was burnt before a charge could come.
    Voided,
}

/// The entry of a key, after somebody tried to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The entry.
    pub entry: LedgerEntry,
    /// Whether this call made it.
    pub is_new: bool,
}

/// Remembers what became of each key: whoever enters a key first decides it for good.
#[async_trait]
pub trait ChargeLedger: Send + Sync {
    /// Enters a charge, unless the key has an entry.
    async fn execute(
        &self,
        key: GatewayKey,
        charge: Arc<LedgerCharge>,
    ) -> Result<Entered, RepositoryError>;

    /// The entry of a key, or `None` when it was not seen yet.
    async fn find(&self, key: GatewayKey) -> Result<Option<LedgerEntry>, RepositoryError>;

    /// Burns a key, unless it has an entry; returns the entry that stands.
    async fn void(&self, key: GatewayKey) -> Result<LedgerEntry, RepositoryError>;

    /// The entries of the keys after that one, in the order of their keys, at most so many.
    async fn entries(
        &self,
        after: Option<GatewayKey>,
        limit: u32,
    ) -> Result<Vec<(GatewayKey, LedgerEntry)>, RepositoryError>;

    /// How many charges have moved money.
    async fn live_charges(&self) -> Result<u64, RepositoryError>;
}
