//! What all instances share: time, what is on its way, the store, the gateway, and what clients
//! were told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use super::bank::Bank;
use super::chance::Chance;
use super::history::History;
use super::store::Store;
use super::terms::Terms;
use crate::payment::PaymentId;

pub(super) type Shared = Arc<Mutex<World>>;

pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("no panic under the lock")
}

/// Something that is broken on purpose, to see that it would be found. The rules of
/// [`crate::sabotage`] are broken beside these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// Whether a key is there is asked first, and written later.
    CheckThenInsert,
    /// Keys are forgotten whose payments are under way.
    ForgottenUnderWay,
    /// What is handed over or settled is acknowledged before it is stored.
    EarlyAcknowledgement,
    /// Every charge tells the gateway of an amount of its own.
    OtherAmount,
}

/// Which run of one instance a call belongs to.
pub(super) type Life = u64;

type Work = Box<dyn FnOnce(&mut World) + Send>;

/// What happens at a point in time.
pub(super) enum Act {
    /// Something in the world.
    Do(Work),
    /// A client sends its request to some instance.
    Send {
        client: usize,
    },
    /// A client loses patience.
    Leave {
        client: usize,
        request: u64,
    },
    Crash(usize),
    Start(usize),
    Pause(usize),
    Resume(usize),
    /// An operator looks for payments in review.
    Operate,
    /// A payment was settled or given up: whoever waits is told, unless the news are lost.
    News(PaymentId),
    /// The shared answers at hand are lost.
    Flush,
    /// Whether everything is over.
    Look,
}

pub(super) struct Event {
    /// The instance that sent it: with it dead it may be lost.
    pub(super) sender: Option<Life>,
    pub(super) act: Act,
}

pub(super) struct World {
    pub(super) now: u64,
    /// By time; what falls on the same is in an order of chance.
    queue: BTreeMap<(u64, u64, u64), Event>,
    scheduled: u64,
    pub(super) chance: Chance,
    pub(super) terms: Terms,
    pub(super) broken: Option<Break>,
    pub(super) is_quiet: bool,
    /// How far the store's clock is off, in milliseconds.
    pub(super) clock_is_off_by: i64,
    pub(super) is_store_away: bool,
    pub(super) is_gateway_away: bool,
    pub(super) store: Store,
    pub(super) bank: Bank,
    pub(super) history: History,
    /// Wakes the instance of a life.
    pub(super) roots: BTreeMap<Life, Waker>,
    pub(super) violation: Option<String>,
    /// What happened, where it is kept.
    pub(super) trace: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(seed: u64, broken: Option<Break>, is_traced: bool) -> Self {
        let mut chance = Chance::new(seed);
        let terms = Terms::draw(&mut chance);
        Self {
            now: 0,
            queue: BTreeMap::new(),
            scheduled: 0,
            chance,
            terms,
            broken,
            is_quiet: false,
            clock_is_off_by: 0,
            is_store_away: false,
            is_gateway_away: false,
            store: Store::default(),
            bank: Bank::default(),
            history: History::default(),
            roots: BTreeMap::new(),
            violation: None,
            trace: is_traced.then(Vec::new),
        }
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6} ms  {}", self.now, what()));
        }
    }

    /// The first violation ends a run.
    pub(super) fn violated(&mut self, what: String) {
        self.note(|| format!("VIOLATION {what}"));
        self.violation.get_or_insert(what);
    }

    pub(super) fn schedule(&mut self, after: u64, sender: Option<Life>, act: Act) {
        self.scheduled += 1;
        let place = (self.now + after, self.chance.draw(), self.scheduled);
        self.queue.insert(place, Event { sender, act });
        if let Some(root) = sender.and_then(|life| self.roots.get(&life)) {
            root.wake_by_ref();
        }
    }

    pub(super) fn then(
        &mut self,
        after: u64,
        sender: Option<Life>,
        work: impl FnOnce(&mut Self) + Send + 'static,
    ) {
        self.schedule(after, sender, Act::Do(Box::new(work)));
    }

    pub(super) fn next_at(&self) -> Option<u64> {
        self.queue.first_key_value().map(|((at, _, _), _)| *at)
    }

    pub(super) fn take_next(&mut self) -> Option<Act> {
        let ((at, _, _), event) = self.queue.pop_first()?;
        self.now = self.now.max(at);
        Some(event.act)
    }

    /// A life is over: half of what it had sent never arrives.
    pub(super) fn cut_off(&mut self, life: Life) {
        self.roots.remove(&life);
        let sent: Vec<_> = self
            .queue
            .iter()
            .filter(|(_, event)| event.sender == Some(life))
            .map(|(place, _)| *place)
            .collect();
        for place in sent {
            if self.chance.happens(500) {
                self.queue.remove(&place);
            }
        }
    }
}
