//! What this process is at with its keys, so that duplicates ask the store neither while the first
//! request opens its payment nor while it pays: a crowd with one key costs one connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::idempotency::{Fingerprint, RecordId};
use crate::payment::PaymentId;
use crate::ports::Opened;

/// The keys that requests of this process are at.
#[derive(Debug, Default)]
pub struct RunningPayments(Mutex<HashMap<RecordId, Running>>);

#[derive(Debug)]
struct Running {
    fingerprint: Fingerprint,
    stage: watch::Receiver<Stage>,
}

/// How far the request has come.
#[derive(Debug, Clone)]
enum Stage {
    Opening,
    Paying(PaymentId),
    Found(Arc<Opened>),
    Failed,
}

/// What a request is to do about its key.
#[derive(Debug)]
pub enum Joined {
    /// Open it, and let others know by the guard.
    First(RunningGuard),
    /// Wait for the payment, which is being paid here.
    Paying(PaymentId),
    /// Wait until the same request is opened.
    Opening(Opening),
    /// Ask the store: another request is at work under the same key.
    Apart,
}

impl RunningPayments {
    /// Joins the same request under the same key, if one is at work here; else is the first.
    pub fn join(self: &Arc<Self>, record: &RecordId, fingerprint: &Fingerprint) -> Joined {
        let mut all = self.lock();
        let Some(running) = all.get(record) else {
            let (sender, stage) = watch::channel(Stage::Opening);
            all.insert(record.clone(), Running { fingerprint: fingerprint.clone(), stage });
            let all = Arc::clone(self);
            return Joined::First(RunningGuard { all, record: record.clone(), stage: sender });
        };
        if running.fingerprint != *fingerprint {
            return Joined::Apart;
        }
        let stage = running.stage.clone();
        let paying = match &*stage.borrow() {
            Stage::Paying(payment) => Some(*payment),
            Stage::Opening | Stage::Found(_) | Stage::Failed => None,
        };
        paying.map_or(Joined::Opening(Opening(stage)), Joined::Paying)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, Running>> {
        // No code panics while it holds the lock, so a poisoned map is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first request with a key; dropping it ends the note.
#[derive(Debug)]
pub struct RunningGuard {
    all: Arc<RunningPayments>,
    record: RecordId,
    stage: watch::Sender<Stage>,
}

impl RunningGuard {
    /// The store has opened the payment, and it is being paid.
    pub fn paying(&self, payment: PaymentId) {
        self.stage.send_replace(Stage::Paying(payment));
    }

    /// The store has answered otherwise: whoever waited is told the same.
    pub fn found(&self, opened: &Opened) {
        // Without listeners there is nobody to copy it for.
        if self.stage.receiver_count() > 1 {
            self.stage.send_replace(Stage::Found(Arc::new(opened.clone())));
        }
    }

    /// The store has failed.
    pub fn failed(&self) {
        self.stage.send_replace(Stage::Failed);
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.all.lock().remove(&self.record);
    }
}

/// An opening that somebody else is at.
#[derive(Debug)]
pub struct Opening(watch::Receiver<Stage>);

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
    pub async fn end(mut self) -> OpeningEnd {
        let ended = self.0.wait_for(|stage| !matches!(stage, Stage::Opening)).await;
        match ended.as_deref() {
            Ok(Stage::Paying(payment)) => OpeningEnd::Paying(*payment),
            Ok(Stage::Found(opened)) => OpeningEnd::Found(Arc::clone(opened)),
            Ok(Stage::Failed) => OpeningEnd::Failed,
            Ok(Stage::Opening) | Err(_) => OpeningEnd::Gone,
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
        guard.found(&expired);
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
