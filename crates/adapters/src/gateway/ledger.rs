//! The books of a gateway, in memory: gone with the process.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::{
    ChargeContents, ChargeLedger, Entered, LedgerCharge, LedgerEntry, RepositoryError,
};

/// The entries. The first of a key is its entry for good.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    entries: BTreeMap<GatewayKey, Kept>,
    live_charges: usize,
}

/// An entry as it is kept: in one piece, because a charge's six parts apart take twice the room, and books
/// only grow.
#[derive(Debug, Clone)]
enum Kept {
    /// JSON of the parts.
    Charge(Box<str>),
    Voided,
}

type Parts<T> = (T, T, T, Option<T>, Option<T>, Option<T>);

impl Kept {
    fn of(entry: &LedgerEntry) -> serde_json::Result<Self> {
        let LedgerEntry::Charge(charge) = entry else { return Ok(Self::Voided) };
        let LedgerCharge { id, contents, reference, decline_code } = &**charge;
        let ChargeContents { amount, currency, payment_method } = contents;
        let parts: Parts<&str> = (
            id,
            amount,
            currency,
            payment_method.as_deref(),
            reference.as_deref(),
            decline_code.as_deref(),
        );
        Ok(Self::Charge(serde_json::to_string(&parts)?.into()))
    }

    fn entry(&self) -> serde_json::Result<LedgerEntry> {
        let Self::Charge(parts) = self else { return Ok(LedgerEntry::Voided) };
        let (id, amount, currency, payment_method, reference, decline_code): Parts<String> =
            serde_json::from_str(parts)?;
        let contents = ChargeContents { amount, currency, payment_method };
        Ok(LedgerEntry::Charge(Arc::new(LedgerCharge { id, contents, reference, decline_code })))
    }
}

impl Ledger {
    /// How many charges have moved money.
    pub fn live_charges(&self) -> usize {
        self.books().live_charges
    }

    fn enter(&self, key: GatewayKey, entry: LedgerEntry) -> serde_json::Result<Entered> {
        let kept = Kept::of(&entry)?;
        let known = self.books().enter(key, kept, &entry);
        Ok(match known {
            None => Entered { entry, is_new: true },
            Some(known) => Entered { entry: known.entry()?, is_new: false },
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Enters it, or tells what the key stands for already.
    fn enter(&mut self, key: GatewayKey, kept: Kept, entry: &LedgerEntry) -> Option<Kept> {
        match self.entries.entry(key) {
            Entry::Occupied(known) => return Some(known.get().clone()),
            Entry::Vacant(place) => place.insert(kept),
        };
        let is_live = match entry {
            LedgerEntry::Charge(charge) => charge.decline_code.is_none(),
            LedgerEntry::Voided => false,
        };
        self.live_charges += usize::from(is_live);
        None
    }
}

#[async_trait]
impl ChargeLedger for Ledger {
    async fn execute(
        &self,
        key: GatewayKey,
        charge: Arc<LedgerCharge>,
    ) -> Result<Entered, RepositoryError> {
        self.enter(key, LedgerEntry::Charge(charge)).map_err(refused)
    }

    async fn find(&self, key: GatewayKey) -> Result<Option<LedgerEntry>, RepositoryError> {
        let kept = self.books().entries.get(&key).cloned();
        kept.map(|kept| kept.entry()).transpose().map_err(refused)
    }

    async fn void(&self, key: GatewayKey) -> Result<LedgerEntry, RepositoryError> {
        Ok(self.enter(key, LedgerEntry::Voided).map_err(refused)?.entry)
    }

    async fn entries(
        &self,
        after: Option<GatewayKey>,
        limit: u32,
    ) -> Result<Vec<(GatewayKey, LedgerEntry)>, RepositoryError> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let books = self.books();
        let page = books.entries.range((first, Bound::Unbounded)).take(limit);
        page.map(|(key, kept)| Ok((*key, kept.entry()?))).collect::<Result<_, _>>().map_err(refused)
    }

    async fn live_charges(&self) -> Result<u64, RepositoryError> {
        Ok(u64::try_from(self.live_charges()).unwrap_or(u64::MAX))
    }
}

fn refused(error: serde_json::Error) -> RepositoryError {
    RepositoryError::Refused(error.into())
}
