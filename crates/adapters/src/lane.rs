//! Group commit: the calls that arrive while a batch is written share the next transaction.
//!
//! A lane is a queue and the threads that write from it, each on a connection of its own. It waits for
//! nothing but them: an idle lane takes a call at once, a busy one takes all that came meanwhile. Calls
//! of different kinds are written beside each other, since they do not ask for the same rows; of one kind,
//! two batches are written at a time only where a whole one waits; else batches grow instead of getting
//! in each other's way. A single thread writes all kinds together. What a batch does is its store's to
//! say; what becomes of a write is told to its caller once the batch has committed, never before.

mod queue;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use metrics::{Histogram, describe_histogram, histogram};
use payonce_domain::ports::RepositoryError;
use tokio::sync::oneshot;

use self::queue::{Queue, Ticket};
use crate::measurements::Measurements;
use crate::store::PoolUse;
use crate::store::options::LaneOptions;
use crate::wakes::gathered;

const CALLS: &str = "payonce_lane_batch_calls";

/// A call and the way back to its caller.
pub trait LaneCall: Send + 'static {
    /// How many kinds there are.
    const KINDS: usize = 1;

    /// Which of them it is, from 0.
    fn kind(&self) -> usize {
        0
    }
}

/// Runs batches on a thread of the lane, where it may keep a connection.
pub trait Batches: Send + 'static {
    /// A call and the way back to its caller.
    type Call: LaneCall;

    /// Runs the calls, and replies to each: to a write once it has committed. The next batch of their
    /// kind begins when this one has ended.
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

/// Threads that write, and their queue.
pub struct Lane<C> {
    shared: Arc<Shared<C>>,
    wait: Duration,
}

/// What the callers and the threads of a lane share.
struct Shared<C> {
    state: Mutex<State<C>>,
    /// One for each thread: it waits there for something to begin.
    wakes: Box<[Condvar]>,
    capacity: usize,
}

struct State<C> {
    queue: Queue<C>,
    /// Threads without a batch, by place. The last to come is the next to go: its connection, and
    /// what the server keeps for that, are the warmest.
    idle: Vec<usize>,
    /// A thread was woken and nobody has looked since.
    is_waking: bool,
    is_closed: bool,
}

impl<C: LaneCall> Lane<C> {
    /// Starts a lane of as many threads; it ends when it is closed or dropped, after what is queued.
    pub fn start<B: Batches<Call = C>>(
        options: &LaneOptions,
        wait: Duration,
        measurements: &Measurements,
        threads: impl IntoIterator<Item = B>,
    ) -> std::io::Result<Self> {
        let threads: Vec<B> = threads.into_iter().collect();
        let kinds = if threads.len() > 1 { C::KINDS } else { 1 };
        let state = State {
            queue: Queue::new(kinds, options.batch),
            idle: (0..threads.len()).collect(),
            is_waking: false,
            is_closed: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            wakes: threads.iter().map(|_| Condvar::new()).collect(),
            capacity: options.queue,
        });
        let lane = Self { shared: Arc::clone(&shared), wait };
        let sizes = measurements.record(batch_sizes);
        for (place, batches) in threads.into_iter().enumerate() {
            let (shared, sizes) = (Arc::clone(&shared), sizes.clone());
            let thread = Thread { place, shared, sizes, batches };
            thread::Builder::new().name("payonce-lane".to_owned()).spawn(|| thread.work())?;
        }
        Ok(lane)
    }

    /// Queues a call, made around the way back to its caller, and waits for its outcome. A call
    /// whose turn has come runs to its end even when the caller is dropped.
    pub async fn call<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<T>) -> C,
    ) -> Result<T, LaneError> {
        let (reply, outcome) = oneshot::channel();
        let mut outcome = gathered(outcome);
        let ticket = self.shared.push(call(reply))?;
        let in_time = tokio::time::timeout(self.wait, &mut outcome).await;
        let outcome = match in_time {
            Ok(outcome) => outcome,
            Err(_) if self.shared.take_back(ticket).is_some() => return Err(LaneError::Late),
            Err(_) => outcome.await,
        };
        outcome.map_err(|_gone| LaneError::Panicked)
    }
}

impl<C> Lane<C> {
    /// Takes no more calls; those that are queued are run.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        self.shared.wake_all(&mut state);
    }

    /// The lane as a pool with a connection for each thread.
    pub fn pool_use(&self, name: &'static str) -> PoolUse {
        let threads = self.shared.wakes.len();
        let state = self.shared.lock();
        PoolUse {
            pool: name,
            limit: threads,
            open: threads,
            in_use: threads - state.idle.len(),
            waiting: state.queue.len(),
        }
    }
}

impl<C> Drop for Lane<C> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<C> Shared<C> {
    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // No code panics while it holds the lock, so a poisoned queue is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes a thread if there is something to begin for it.
    fn wake_one(&self, mut state: MutexGuard<'_, State<C>>) {
        if state.is_waking || state.queue.next().is_none() {
            return;
        }
        if let Some(place) = state.idle.pop() {
            state.is_waking = true;
            drop(state);
            self.wakes.get(place).inspect(|wake| wake.notify_one());
        }
    }

    fn wake_all(&self, state: &mut State<C>) {
        state.idle.clear();
        self.wakes.iter().for_each(Condvar::notify_one);
    }

    /// The next batch and its kind, as soon as one may begin, for a thread that has ended one of this
    /// kind or is new and idle; `None` when the lane has ended.
    fn next(&self, place: usize, ended: Option<usize>) -> Option<(Vec<C>, usize)> {
        let wake = self.wakes.get(place)?;
        let mut state = self.lock();
        ended.inspect(|kind| state.queue.end(*kind));
        loop {
            if !state.idle.contains(&place) {
                state.is_waking = false;
                if let Some(kind) = state.queue.next() {
                    let batch = state.queue.begin(kind);
                    self.wake_one(state);
                    return Some((batch, kind));
                }
                if state.is_closed && state.queue.len() == 0 {
                    self.wake_all(&mut state);
                    return None;
                }
                state.idle.push(place);
            }
            let is_idle = |state: &mut State<C>| state.idle.contains(&place);
            state = wake.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<C: LaneCall> Shared<C> {
    fn push(&self, call: C) -> Result<Ticket, LaneError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(LaneError::Closed);
        }
        if state.queue.len() >= self.capacity {
            return Err(LaneError::Full);
        }
        let ticket = state.queue.push(call.kind(), call);
        self.wake_one(state);
        Ok(ticket)
    }

    /// A call whose turn has not come, to which it will not come then.
    fn take_back(&self, ticket: Ticket) -> Option<C> {
        self.lock().queue.take_back(ticket)
    }
}

/// One of a lane's threads.
struct Thread<B: Batches> {
    place: usize,
    shared: Arc<Shared<B::Call>>,
    sizes: Histogram,
    batches: B,
}

impl<B: Batches> Thread<B> {
    fn work(mut self) {
        let mut ended = None;
        while let Some((batch, kind)) = self.shared.next(self.place, ended) {
            self.run(batch);
            ended = Some(kind);
        }
    }

    /// A panic ends its batch, whose callers learn of it, and not the lane.
    fn run(&mut self, batch: Vec<B::Call>) {
        self.sizes.record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        if catch_unwind(AssertUnwindSafe(|| self.batches.run(batch))).is_err() {
            tracing::error!("a batch of writes panicked");
        }
    }
}

fn batch_sizes() -> Histogram {
    describe_histogram!(CALLS, "How many calls shared one transaction.");
    histogram!(CALLS)
}

#[cfg(test)]
mod tests;
