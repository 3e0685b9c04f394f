//! Duplicates that wait in this process for the payment that another request is making.
//!
//! A waiter holds no connection. It is woken by the settle with the answer itself, so that a
//! thousand waiters cost the store nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::idempotency::SettledAnswer;
use crate::payment::PaymentId;

/// What one who waits is told.
#[derive(Debug, Clone)]
pub enum Wake {
    /// The answer is here.
    Settled(Arc<SettledAnswer>),
    /// Something happened to the payment elsewhere: ask the store.
    LookAgain,
}

/// Everybody in this process who waits for a payment.
#[derive(Debug)]
pub struct Waiters {
    channels: Mutex<Channels>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Channels {
    by_payment: HashMap<PaymentId, watch::Sender<Option<Wake>>>,
    waiting: usize,
}

impl Waiters {
    /// Lets at most `limit` wait at a time.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { channels: Mutex::default(), limit })
    }

    /// Starts to listen for a payment's answer, or returns `None` when too many wait already.
    ///
    /// The payment may have settled just before: look once more after subscribing.
    pub fn subscribe(self: &Arc<Self>, payment: PaymentId) -> Option<Waiting> {
        let mut channels = self.lock();
        if channels.waiting >= self.limit {
            return None;
        }
        channels.waiting = channels.waiting.saturating_add(1);
        let sender = channels.by_payment.entry(payment).or_insert_with(|| watch::Sender::new(None));
        let receiver = sender.subscribe();
        Some(Waiting { payment, receiver, waiters: Arc::clone(self) })
    }

    /// Wakes everybody who waits for the payment. Call it only after the answer is committed.
    pub fn settled(&self, payment: PaymentId, answer: &Arc<SettledAnswer>) {
        if let Some(sender) = self.lock().by_payment.remove(&payment) {
            sender.send_replace(Some(Wake::Settled(Arc::clone(answer))));
        }
    }

    /// Lets everybody who waits for the payment ask the store.
    pub fn look_again(&self, payment: PaymentId) {
        if let Some(sender) = self.lock().by_payment.get(&payment) {
            sender.send_replace(Some(Wake::LookAgain));
        }
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        // No code panics while it holds the lock, so a poisoned map is still whole.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits; dropping it gives the place back.
#[derive(Debug)]
pub struct Waiting {
    payment: PaymentId,
    receiver: watch::Receiver<Option<Wake>>,
    waiters: Arc<Waiters>,
}

impl Waiting {
    /// The payment waited for.
    pub fn payment(&self) -> PaymentId {
        self.payment
    }

    /// The answer; `None` when it did not come within `limit`, or when the store knows more.
    pub async fn answer(&mut self, limit: Duration) -> Option<Arc<SettledAnswer>> {
        match timeout(limit, self.receiver.changed()).await {
            Ok(Ok(())) => match &*self.receiver.borrow_and_update() {
                Some(Wake::Settled(answer)) => Some(Arc::clone(answer)),
                Some(Wake::LookAgain) | None => None,
            },
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut channels = self.waiters.lock();
        channels.waiting = channels.waiting.saturating_sub(1);
        // Somebody may have begun to wait anew, on another channel. Its own receiver still counts.
        let is_last = |sender: &watch::Sender<Option<Wake>>| {
            sender.subscribe().same_channel(&self.receiver) && sender.receiver_count() <= 1
        };
        if channels.by_payment.get(&self.payment).is_some_and(is_last) {
            channels.by_payment.remove(&self.payment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::use_cases::fixtures;

    #[tokio::test(start_paused = true)]
    async fn a_settle_wakes_every_waiter_with_the_same_answer() {
        let waiters = Waiters::new(10);
        let payment = fixtures::payment().id;
        let mut one = waiters.subscribe(payment).expect("a place");
        let mut two = waiters.subscribe(payment).expect("a place");
        let answer = Arc::new(fixtures::settled("paid"));
        waiters.settled(payment, &answer);
        assert_eq!(one.answer(Duration::ZERO).await, Some(Arc::clone(&answer)));
        assert_eq!(two.answer(Duration::from_secs(1)).await, Some(answer));
    }

    #[tokio::test(start_paused = true)]
    async fn news_from_elsewhere_end_a_wait_without_an_answer_and_only_once() {
        let waiters = Waiters::new(1);
        let payment = fixtures::payment().id;
        let mut one = waiters.subscribe(payment).expect("a place");
        waiters.look_again(payment);
        let began = tokio::time::Instant::now();
        assert_eq!(one.answer(Duration::from_secs(5)).await, None);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(one.answer(Duration::from_secs(5)).await, None);
        assert_eq!(began.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_gives_up_after_its_limit() {
        let waiters = Waiters::new(1);
        let mut one = waiters.subscribe(fixtures::payment().id).expect("a place");
        assert_eq!(one.answer(Duration::from_secs(5)).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_leaves_late_does_not_end_the_wait_of_another() {
        let waiters = Waiters::new(10);
        let payment = fixtures::payment().id;
        let woken = waiters.subscribe(payment).expect("a place");
        waiters.settled(payment, &Arc::new(fixtures::settled("first")));
        let mut newer = waiters.subscribe(payment).expect("a place");
        drop(woken);
        let answer = Arc::new(fixtures::settled("second"));
        waiters.settled(payment, &answer);
        assert_eq!(newer.answer(Duration::from_secs(1)).await, Some(answer));
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let waiters = Waiters::new(1);
        let payment = fixtures::payment().id;
        let one = waiters.subscribe(payment);
        assert!(one.is_some());
        assert!(waiters.subscribe(payment).is_none());
        drop(one);
        assert_eq!(waiters.waiting(), 0);
        assert!(waiters.lock().by_payment.is_empty());
        assert!(waiters.subscribe(payment).is_some());
    }
}
