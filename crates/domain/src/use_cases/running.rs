//! What this process is paying just now, so that its own duplicates need not ask the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::idempotency::{Fingerprint, RecordId};
use crate::payment::PaymentId;
use crate::ports::OpenPayment;

/// The payments under way in this process, by their keys.
#[derive(Debug, Default)]
pub struct RunningPayments(Mutex<HashMap<RecordId, Running>>);

#[derive(Debug, Clone)]
struct Running {
    fingerprint: Fingerprint,
    payment: PaymentId,
}

impl RunningPayments {
    /// Notes a payment for as long as the returned value lives.
    pub fn enter(self: &Arc<Self>, open: &OpenPayment, payment: PaymentId) -> RunningGuard {
        let running = Running { fingerprint: open.request.fingerprint(), payment };
        self.lock().insert(open.record.clone(), running);
        RunningGuard { all: Arc::clone(self), record: open.record.clone(), payment }
    }

    /// The payment under way for the same request under the same key.
    pub fn find(&self, open: &OpenPayment) -> Option<PaymentId> {
        let running = self.lock().get(&open.record).cloned()?;
        (running.fingerprint == open.request.fingerprint()).then_some(running.payment)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, Running>> {
        // No code panics while it holds the lock, so a poisoned map is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One payment under way; dropping it ends the note.
#[derive(Debug)]
pub struct RunningGuard {
    all: Arc<RunningPayments>,
    record: RecordId,
    payment: PaymentId,
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        // Its key may be at work for a later payment already.
        if all.get(&self.record).is_some_and(|running| running.payment == self.payment) {
            all.remove(&self.record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;
    use crate::payment::PaymentRequest;
    use crate::use_cases::fixtures;
    use uuid::Uuid;

    #[test]
    fn a_payment_is_found_by_the_same_request_while_it_runs_and_by_no_other() {
        let running = Arc::new(RunningPayments::default());
        let open = fixtures::open();
        let payment = fixtures::payment().id;
        assert_eq!(running.find(&open), None);
        let guard = running.enter(&open, payment);
        assert_eq!(running.find(&open), Some(payment));
        let dearer = Money::parse("200", "USD".parse().expect("known")).expect("valid");
        let request = PaymentRequest { money: dearer, ..fixtures::request() };
        let other = OpenPayment { request, ..fixtures::open() };
        assert_eq!(running.find(&other), None);
        drop(guard);
        assert_eq!(running.find(&open), None);
    }

    #[test]
    fn the_end_of_an_earlier_payment_does_not_hide_a_later_one() {
        let running = Arc::new(RunningPayments::default());
        let open = fixtures::open();
        let earlier = running.enter(&open, PaymentId(Uuid::from_u128(1)));
        let _later = running.enter(&open, PaymentId(Uuid::from_u128(2)));
        drop(earlier);
        assert_eq!(running.find(&open), Some(PaymentId(Uuid::from_u128(2))));
    }
}
