//! In whose name a request asks, once that is known.

use std::sync::{Arc, OnceLock};

use payonce_domain::account::AccountId;
use payonce_domain::use_cases::Caller;

/// In whose name a request asks: empty until it has proved that, and set once.
#[derive(Debug, Clone, Default)]
pub struct AsksFor(Arc<OnceLock<Asker>>);

#[derive(Debug)]
struct Asker {
    account: AccountId,
    caller: Option<Caller>,
}

impl AsksFor {
    /// Settles the account of a request that needs no key.
    pub fn account_of_all(&self, account: AccountId) {
        self.set(Asker { account, caller: None });
    }

    /// Settles who it is that brought a key.
    pub fn caller(&self, caller: Caller) {
        self.set(Asker { account: caller.account.clone(), caller: Some(caller) });
    }

    fn set(&self, asker: Asker) {
        // Whoever was first stays.
        let _ = self.0.set(asker);
    }

    /// The account.
    pub fn account(&self) -> Option<&AccountId> {
        self.0.get().map(|asker| &asker.account)
    }

    /// Who brought a key.
    pub fn key_holder(&self) -> Option<&Caller> {
        self.0.get()?.caller.as_ref()
    }
}
