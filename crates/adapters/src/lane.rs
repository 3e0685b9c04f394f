//! Group commit: the calls that arrive while a batch commits share the next transaction.
//!
//! A lane is a thread with a queue. It waits for nothing: an idle lane takes a call at once, a busy
//! one takes all that came meanwhile. What a batch does is its store's to say; what becomes of each
//! call is told to its caller once the batch has committed, never before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use metrics::{Histogram, describe_histogram, histogram};
use payonce_domain::ports::RepositoryError;
use tokio::sync::{mpsc, oneshot};

use crate::measurements::Measurements;
use crate::store::PoolUse;
use crate::store::options::LaneOptions;

const CALLS: &str = "payonce_lane_batch_calls";

/// Runs batches on the lane's own thread, where it may keep a connection.
pub trait Batches: Send + 'static {
    /// A call and the way back to its caller.
    type Call: Send + 'static;

    /// Runs the calls, and then replies to each.
    fn run(&mut self, calls: Vec<Self::Call>);
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

/// A thread that writes, and its queue.
pub struct Lane<C> {
    queue: mpsc::Sender<Message<C>>,
    is_busy: Arc<AtomicBool>,
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
    /// Starts a lane; it ends when it is closed or dropped, after what is queued.
    pub fn start(
        options: &LaneOptions,
        wait: Duration,
        measurements: &Measurements,
        mut batches: impl Batches<Call = C>,
    ) -> std::io::Result<Self> {
        let (queue, mut calls) = mpsc::channel(options.queue);
        let sizes = measurements.record(batch_sizes);
        let is_busy = Arc::new(AtomicBool::new(false));
        let (limit, busy) = (options.batch, is_busy.clone());
        let work = move || {
            let mut taken = Vec::with_capacity(limit);
            while calls.blocking_recv_many(&mut taken, limit) > 0 {
                let mut is_closing = false;
                let mut batch = Vec::with_capacity(taken.len());
                for message in taken.drain(..) {
                    match message {
                        Message::Call { call, turn } if turn.take() => batch.push(call),
                        Message::Call { .. } => {}
                        Message::Close => is_closing = true,
                    }
                }
                if !batch.is_empty() {
                    busy.store(true, Ordering::Relaxed);
                    sizes.record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
                    run(&mut batches, batch);
                    busy.store(false, Ordering::Relaxed);
                }
                if is_closing {
                    // What is queued behind it is answered too: its senders find the lane closed.
                    calls.close();
                }
            }
        };
        thread::Builder::new().name("payonce-lane".to_owned()).spawn(work)?;
        Ok(Self { queue, is_busy, is_closed: AtomicBool::new(false), wait })
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
    /// The lane as a pool of one connection.
    pub fn pool_use(&self, name: &'static str) -> PoolUse {
        PoolUse {
            pool: name,
            limit: 1,
            open: 1,
            in_use: usize::from(self.is_busy.load(Ordering::Relaxed)),
            waiting: self.queue.max_capacity() - self.queue.capacity(),
        }
    }
}

/// A panic ends its batch, whose callers learn of it, and not the lane.
fn run<B: Batches>(batches: &mut B, calls: Vec<B::Call>) {
    if catch_unwind(AssertUnwindSafe(|| batches.run(calls))).is_err() {
        tracing::error!("a batch of writes panicked");
    }
}

fn batch_sizes() -> Histogram {
    describe_histogram!(CALLS, "How many writes shared one transaction.");
    histogram!(CALLS)
}

#[cfg(test)]
mod tests;
