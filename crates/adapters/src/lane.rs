//! Group commit: the calls that arrive while a batch is written share the next transaction.
//!
//! A lane is a queue and the threads that take turns at it, each on a connection of its own: while
//! one waits for its commit, the next gathers and writes. Two write at the same time only where more
//! wait than a batch may hold; else batches grow instead of getting in each other's way. It waits for
//! nothing else: an idle lane takes a call at once, a busy one takes all that came meanwhile. What a
//! batch does is its store's to say; what becomes of each call is told to its caller once the batch
//! has committed, never before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use metrics::{Histogram, describe_histogram, histogram};
use payonce_domain::ports::RepositoryError;
use tokio::sync::{mpsc, oneshot};

use crate::measurements::Measurements;
use crate::store::PoolUse;
use crate::store::options::LaneOptions;

const CALLS: &str = "payonce_lane_batch_calls";

/// Runs batches on a thread of the lane, where it may keep a connection.
pub trait Batches: Send + 'static {
    /// A call and the way back to its caller.
    type Call: Send + 'static;

    /// Runs the calls, and then replies to each. `end_turn` may be called once all is written and
    /// only the commit is left: the next batch begins then, and else when this one has ended.
    fn run(&mut self, calls: Vec<Self::Call>, end_turn: &mut dyn FnMut());
}

/// Why a call has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// Nothing was done.
    #[error("too many writes wait for the database")]
    Full,
    /// Nothing was done.
    #[error("the write waited too long for its turn")]
    Late,
    /// Nothing was done.
    #[error("the store is closed")]
    Closed,
    /// It may have been done.
    #[error("the work on a connection panicked")]
    Panicked,
}

impl From<LaneError> for RepositoryError {
    fn from(error: LaneError) -> Self {
        match error {
            LaneError::Panicked => Self::Refused(error.into()),
            LaneError::Full | LaneError::Late | LaneError::Closed => {
                Self::Unavailable(error.into())
            }
        }
    }
}

/// Threads that write in turn, and their queue.
pub struct Lane<C> {
    queue: mpsc::Sender<Message<C>>,
    threads: usize,
    busy: Arc<AtomicUsize>,
    is_closed: AtomicBool,
    wait: Duration,
}

enum Message<C> {
    Call { call: C, turn: Arc<Turn> },
    Close,
}

/// Whether a queued call is still its caller's to take back. Whoever takes it first has it.
#[derive(Default)]
struct Turn(AtomicBool);

impl Turn {
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

impl<C: Send + 'static> Lane<C> {
    /// Starts a lane of as many threads; it ends when it is closed or dropped, after what is queued.
    pub fn start<B: Batches<Call = C>>(
        options: &LaneOptions,
        wait: Duration,
        measurements: &Measurements,
        threads: impl IntoIterator<Item = B>,
    ) -> std::io::Result<Self> {
        let (queue, calls) = mpsc::channel(options.queue);
        let (calls, busy) = (Arc::new(Mutex::new(calls)), Arc::default());
        let sizes = measurements.record(batch_sizes);
        let mut started = 0;
        for batches in threads {
            let (queue, busy) = (Arc::clone(&calls), Arc::clone(&busy));
            let (limit, sizes) = (options.batch, sizes.clone());
            let thread = Thread { queue, limit, busy, sizes, batches };
            thread::Builder::new().name("payonce-lane".to_owned()).spawn(|| thread.work())?;
            started += 1;
        }
        Ok(Self { queue, threads: started, busy, is_closed: AtomicBool::new(false), wait })
    }

    /// Queues a call, made around the way back to its caller, and waits for its outcome. A call
    /// whose turn has come runs to its end even when the caller is dropped.
    pub async fn call<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<T>) -> C,
    ) -> Result<T, LaneError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(LaneError::Closed);
        }
        let (reply, mut outcome) = oneshot::channel();
        let turn = Arc::new(Turn::default());
        let message = Message::Call { call: call(reply), turn: turn.clone() };
        self.queue.try_send(message).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => LaneError::Full,
            mpsc::error::TrySendError::Closed(_) => LaneError::Closed,
        })?;
        let in_time = tokio::time::timeout(self.wait, &mut outcome).await;
        let outcome = match in_time {
            Ok(outcome) => outcome,
            Err(_) if turn.take() => return Err(LaneError::Late),
            Err(_) => outcome.await,
        };
        outcome.map_err(|_gone| LaneError::Panicked)
    }

    /// Takes no more calls; those that are queued are run.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        // A full queue cannot be told; then the lane ends when it is dropped.
        let _ = self.queue.try_send(Message::Close);
    }
}

impl<C> Lane<C> {
    /// The lane as a pool with a connection for each thread.
    pub fn pool_use(&self, name: &'static str) -> PoolUse {
        PoolUse {
            pool: name,
            limit: self.threads,
            open: self.threads,
            in_use: self.busy.load(Ordering::Relaxed),
            waiting: self.queue.max_capacity() - self.queue.capacity(),
        }
    }
}

/// One of a lane's threads.
struct Thread<B: Batches> {
    /// Whoever holds it has the turn.
    queue: Arc<Mutex<mpsc::Receiver<Message<B::Call>>>>,
    limit: usize,
    busy: Arc<AtomicUsize>,
    sizes: Histogram,
    batches: B,
}

impl<B: Batches> Thread<B> {
    fn work(mut self) {
        let queue = Arc::clone(&self.queue);
        let mut taken = Vec::with_capacity(self.limit);
        loop {
            let mut turn = queue.lock().unwrap_or_else(PoisonError::into_inner);
            if turn.blocking_recv_many(&mut taken, self.limit) == 0 {
                return;
            }
            let mut batch = Vec::with_capacity(taken.len());
            for message in taken.drain(..) {
                match message {
                    Message::Call { call, turn } if turn.take() => batch.push(call),
                    Message::Call { .. } => {}
                    // What is queued behind it is answered too: its senders find the lane closed.
                    Message::Close => turn.close(),
                }
            }
            if !batch.is_empty() {
                // The next batch is whole already: it begins beside this one, and is no smaller for it.
                let mut turn = (turn.len() < self.limit).then_some(turn);
                self.run(batch, &mut || drop(turn.take()));
            }
        }
    }

    /// A panic ends its batch, whose callers learn of it, and not the lane.
    fn run(&mut self, batch: Vec<B::Call>, end_turn: &mut dyn FnMut()) {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.sizes.record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        if catch_unwind(AssertUnwindSafe(|| self.batches.run(batch, end_turn))).is_err() {
            tracing::error!("a batch of writes panicked");
        }
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

fn batch_sizes() -> Histogram {
    describe_histogram!(CALLS, "How many writes shared one transaction.");
    histogram!(CALLS)
}

#[cfg(test)]
mod tests;
