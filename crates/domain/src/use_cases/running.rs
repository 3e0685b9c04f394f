//! What this process is at with its keys, so that duplicates ask the store nothing while the first
//! request looks for its answer, opens its payment or pays: a crowd with one key costs one connection.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::idempotency::{Fingerprint, RecordId};
use crate::payment::PaymentId;
use crate::ports::Opened;

/// The keys that requests of this process are at.
#[derive(Debug, Default)]
pub struct RunningPayments(Mutex<HashMap<RecordId, Running>>);

#[derive(Debug)]
struct Running {
    fingerprint: Fingerprint,
    progress: Arc<Progress>,
}

/// How far a request has come, for those who wait for it.
#[derive(Debug, Default)]
struct Progress {
    stage: Mutex<Stage>,
    has_changed: Notify,
}

#[derive(Debug, Clone, Default)]
enum Stage {
    #[default]
    Opening,
    Paying(PaymentId),
    Found(Arc<Opened>),
    Failed,
    Gone,
}

/// What a request is to do about its key.
#[derive(Debug)]
pub enum Joined {
    /// Look for its answer or open it, and let others know by the guard.
    First(RunningGuard),
    /// Wait for the payment, which is being paid here.
    Paying(PaymentId),
    /// Wait until the same request is answered or opened.
    Opening(Opening),
    /// Ask the store: another request is at work under the same key.
    Apart,
}

impl RunningPayments {
    /// Joins the same request under the same key, if one is at work here; else is the first.
    pub fn join(self: &Arc<Self>, record: &RecordId, fingerprint: &Fingerprint) -> Joined {
        let progress = match self.lock().entry(record.clone()) {
            Entry::Vacant(place) => {
                let progress = Arc::<Progress>::default();
                let (fingerprint, shared) = (fingerprint.clone(), Arc::clone(&progress));
                place.insert(Running { fingerprint, progress: shared });
                let all = Arc::clone(self);
                return Joined::First(RunningGuard { all, record: record.clone(), progress });
            }
            Entry::Occupied(place) if place.get().fingerprint != *fingerprint => {
                return Joined::Apart;
            }
            Entry::Occupied(place) => Arc::clone(&place.get().progress),
        };
        let stage = progress.stage();
        match stage {
            Stage::Paying(payment) => Joined::Paying(payment),
            _ => Joined::Opening(Opening(progress)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, Running>> {
        // No code panics while it holds the lock, so a poisoned map is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn stage(&self) -> Stage {
        self.lock().clone()
    }

    fn change(&self, stage: Stage) {
        *self.lock() = stage;
        self.has_changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        // A stage is set in one step, so that of a poisoned lock is whole.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first request with a key; dropping it ends the note.
#[derive(Debug)]
pub struct RunningGuard {
    all: Arc<RunningPayments>,
    record: RecordId,
    progress: Arc<Progress>,
}

impl RunningGuard {
    /// The store has opened the payment, and it is being paid.
    pub fn paying(&self, payment: PaymentId) {
        self.progress.change(Stage::Paying(payment));
    }

    /// The store has answered otherwise: whoever waited is told the same.
    pub fn found(&self, opened: impl FnOnce() -> Opened) {
        // Beside this guard and the note it is those who wait that share it; without them there is
        // nobody to copy the answer for.
        if Arc::strong_count(&self.progress) > 2 {
            self.progress.change(Stage::Found(Arc::new(opened())));
        }
    }

    /// The store has failed.
    pub fn failed(&self) {
        self.progress.change(Stage::Failed);
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.all.lock().remove(&self.record);
        let mut stage = self.progress.lock();
        if matches!(*stage, Stage::Opening) {
            *stage = Stage::Gone;
            drop(stage);
            self.progress.has_changed.notify_waiters();
        }
    }
}

/// An opening that somebody else is at.
#[derive(Debug)]
pub struct Opening(Arc<Progress>);

/// What an opening came to.
#[derive(Debug)]
pub enum OpeningEnd {
    /// The payment is being paid here.
    Paying(PaymentId),
    /// What the store answered.
    Found(Arc<Opened>),
    /// The store failed.
    Failed,
    /// It ended without a word: ask anew.
    Gone,
}

impl Opening {
    /// Waits for its end.
    pub async fn end(self) -> OpeningEnd {
        loop {
            let mut change = pin!(self.0.has_changed.notified());
            // Who listens before it looks misses no change.
            change.as_mut().enable();
            match self.0.stage() {
                Stage::Opening => change.await,
                Stage::Paying(payment) => return OpeningEnd::Paying(payment),
                Stage::Found(opened) => return OpeningEnd::Found(opened),
                Stage::Failed => return OpeningEnd::Failed,
                Stage::Gone => return OpeningEnd::Gone,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;
    use crate::payment::PaymentRequest;
    use crate::use_cases::fixtures;

    fn join(running: &Arc<RunningPayments>) -> Joined {
        running.join(&fixtures::record(), &fixtures::request().fingerprint())
    }

    fn first(running: &Arc<RunningPayments>) -> RunningGuard {
        match join(running) {
            Joined::First(guard) => guard,
            other => panic!("{other:?}"),
        }
    }

    fn opening(running: &Arc<RunningPayments>) -> Opening {
        match join(running) {
            Joined::Opening(opening) => opening,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_duplicate_learns_what_the_first_request_came_to() {
        let running = Arc::new(RunningPayments::default());
        let payment = fixtures::payment().id;

        let guard = first(&running);
        let waiting = opening(&running);
        guard.paying(payment);
        assert!(matches!(waiting.end().await, OpeningEnd::Paying(paid) if paid == payment));
        assert!(matches!(join(&running), Joined::Paying(paid) if paid == payment));
        drop(guard);

        let guard = first(&running);
        let waiting = opening(&running);
        let expired = Opened::Expired { payment: Some(payment) };
        guard.found(|| expired.clone());
        drop(guard);
        assert!(matches!(waiting.end().await, OpeningEnd::Found(found) if *found == expired));

        let guard = first(&running);
        let waiting = opening(&running);
        guard.failed();
        assert!(matches!(waiting.end().await, OpeningEnd::Failed));
    }

    #[tokio::test]
    async fn a_first_request_that_dies_leaves_its_place_to_a_duplicate() {
        let running = Arc::new(RunningPayments::default());
        let guard = first(&running);
        let waiting = opening(&running);
        drop(guard);
        assert!(matches!(waiting.end().await, OpeningEnd::Gone));
        let _next = first(&running);
    }

    #[test]
    fn another_request_under_the_same_key_goes_its_own_way() {
        let running = Arc::new(RunningPayments::default());
        let _guard = first(&running);
        let dearer = Money::parse("200", "USD".parse().expect("known")).expect("valid");
        let request = PaymentRequest { money: dearer, ..fixtures::request() };
        let joined = running.join(&fixtures::record(), &request.fingerprint());
        assert!(matches!(joined, Joined::Apart));
    }
}
