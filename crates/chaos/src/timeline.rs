//! What was done to the service, and what its clients saw, second by second; knows not what is
//! right.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// One thing done, in milliseconds since the beginning.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// What.
    pub what: String,
    /// To whom.
    pub whom: String,
    /// From when.
    pub from: u64,
    /// Until when.
    pub until: u64,
}

/// What clients saw in one second, by kind.
pub type Second = BTreeMap<&'static str, u64>;

/// Everything that happened in one mode.
#[derive(Debug)]
pub struct Timeline {
    began: Instant,
    noted: Mutex<Noted>,
    slowest: Mutex<Duration>,
}

/// A copy of it.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Noted {
    /// What was done.
    pub faults: Vec<Fault>,
    /// What was seen, by second.
    pub seen: BTreeMap<u64, Second>,
    /// When answers came that only a fault excuses, in milliseconds, each with what it was.
    pub failures: Vec<(u64, String)>,
}

impl Timeline {
    /// Begins now.
    pub fn new() -> Self {
        Self { began: Instant::now(), noted: Mutex::default(), slowest: Mutex::default() }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the beginning.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Something was done from then until now.
    pub fn fault(&self, what: impl Into<String>, whom: impl Into<String>, from: u64) {
        let until = self.now();
        self.noted().faults.push(Fault { what: what.into(), whom: whom.into(), from, until });
    }

    /// How often that was done.
    pub fn count(&self, what: &str) -> u64 {
        let noted = self.noted();
        u64::try_from(noted.faults.iter().filter(|fault| fault.what == what).count()).unwrap_or(0)
    }

    /// How many things were done.
    pub fn faults(&self) -> u64 {
        u64::try_from(self.noted().faults.len()).unwrap_or(u64::MAX)
    }

    /// A client saw that.
    pub fn saw(&self, kind: &'static str) {
        let second = self.now() / 1_000;
        let mut noted = self.noted();
        let seen = noted.seen.entry(second).or_default().entry(kind).or_default();
        *seen = seen.saturating_add(1);
    }

    /// A client waited so long for an answer, or for none.
    pub fn waited(&self, time: Duration) {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        *slowest = time.max(*slowest);
    }

    /// The longest that a client waited.
    pub fn slowest(&self) -> Duration {
        *self.slowest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client saw what only a fault excuses.
    pub fn failed(&self, what: impl Into<String>) {
        let now = self.now();
        let mut noted = self.noted();
        if noted.failures.len() < 100_000 {
            noted.failures.push((now, what.into()));
        }
    }

    /// A copy of all of it.
    pub fn noted_so_far(&self) -> Noted {
        self.noted().clone()
    }

    /// Failures that no fault excuses: further than that behind the last one, or before any.
    pub fn unexcused(&self, grace: Duration) -> Vec<(u64, String)> {
        let noted = self.noted();
        let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let excused = |at: u64| {
            let covers =
                |fault: &Fault| fault.from <= at && at <= fault.until.saturating_add(grace);
            noted.faults.iter().any(covers)
        };
        noted.failures.iter().filter(|(at, _)| !excused(*at)).cloned().collect()
    }
}
