//! The books of a gateway, in memory: gone with the process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::{ChargeLedger, Entered, LedgerCharge, LedgerEntry, RepositoryError};

/// The entries. The first of a key is its entry for good.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<HashMap<GatewayKey, LedgerEntry>>);

impl Ledger {
    /// How many charges have moved money.
    pub fn live_charges(&self) -> usize {
        let is_live = |entry: &&LedgerEntry| match entry {
            LedgerEntry::Charge(charge) => charge.decline_code.is_none(),
            LedgerEntry::Voided => false,
        };
        self.entries().values().filter(is_live).count()
    }

    fn enter(&self, key: GatewayKey, entry: LedgerEntry) -> Entered {
        match self.entries().entry(key) {
            Entry::Vacant(place) => Entered { entry: place.insert(entry).clone(), is_new: true },
            Entry::Occupied(known) => Entered { entry: known.get().clone(), is_new: false },
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<GatewayKey, LedgerEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ChargeLedger for Ledger {
    async fn execute(
        &self,
        key: GatewayKey,
        charge: Arc<LedgerCharge>,
    ) -> Result<Entered, RepositoryError> {
        Ok(self.enter(key, LedgerEntry::Charge(charge)))
    }

    async fn find(&self, key: GatewayKey) -> Result<Option<LedgerEntry>, RepositoryError> {
        Ok(self.entries().get(&key).cloned())
    }

    async fn void(&self, key: GatewayKey) -> Result<LedgerEntry, RepositoryError> {
        Ok(self.enter(key, LedgerEntry::Voided).entry)
    }

    async fn entries(
        &self,
        after: Option<GatewayKey>,
        limit: u32,
    ) -> Result<Vec<(GatewayKey, LedgerEntry)>, RepositoryError> {
        let entries = self.entries();
        let is_after = |key: &GatewayKey| after.is_none_or(|after| key.0 > after.0);
        let mut page: Vec<_> = entries.iter().filter(|(key, _)| is_after(key)).collect();
        page.sort_by_key(|(key, _)| key.0);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(page.into_iter().take(limit).map(|(key, entry)| (*key, entry.clone())).collect())
    }

    async fn live_charges(&self) -> Result<u64, RepositoryError> {
        Ok(u64::try_from(self.live_charges()).unwrap_or(u64::MAX))
    }
}
