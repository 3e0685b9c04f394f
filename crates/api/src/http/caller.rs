//! Under which id a request asks, and in whose name, once that is known.

use std::sync::{Arc, OnceLock};

use payonce_domain::account::{AccountId, RequestId};
use payonce_domain::use_cases::Caller;

/// In whose name a request asks: empty until it has proved that, and set once.
#[derive(Debug, Clone)]
pub struct AsksFor(Arc<Asking>);

#[derive(Debug)]
struct Asking {
    request_id: RequestId,
    asker: OnceLock<Asker>,
}

#[derive(Debug)]
struct Asker {
    account: AccountId,
    caller: Option<Caller>,
}

impl AsksFor {
    /// In nobody's name yet.
    pub fn begin(request_id: RequestId) -> Self {
        Self(Arc::new(Asking { request_id, asker: OnceLock::new() }))
    }

    /// The request's id.
    pub fn request_id(&self) -> &RequestId {
        &self.0.request_id
    }

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
        let _ = self.0.asker.set(asker);
    }

    /// The account.
    pub fn account(&self) -> Option<&AccountId> {
        self.0.asker.get().map(|asker| &asker.account)
    }

    /// Who brought a key.
    pub fn key_holder(&self) -> Option<&Caller> {
        self.0.asker.get()?.caller.as_ref()
    }
}
