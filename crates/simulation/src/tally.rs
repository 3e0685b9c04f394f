//! What happens while it happens: counters that clients add to and the progress reads. It must know
//! nothing of single payments.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Failure;
use crate::histograms::Times;
use crate::wire::{Kind, Trouble};

/// Live counters of a run.
#[derive(Debug)]
pub struct Tally {
    /// Requests sent.
    pub requests: Counter,
    /// Payments that have ended, well or not.
    pub ended: Counter,
    /// Requests answered by a stored answer.
    pub replays: Counter,
    /// Other requests under a known key that were refused.
    pub conflicts: Counter,
    /// Payments accepted (202).
    pub accepted: Counter,
    /// Of those, ended since.
    pub resolved: Counter,
    /// Looks for what was accepted, until it was settled.
    pub looks: Counter,
    /// Requests sent again because another one was under way with the key.
    pub in_use: Counter,
    /// Because it was asked too often.
    pub too_often: Counter,
    /// Because the service could not work on it.
    pub unavailable: Counter,
    /// Because it failed.
    pub failed: Counter,
    /// Because no answer came.
    pub unanswered: Counter,
    times: Mutex<AllTimes>,
}

/// How often requests were sent, and why again.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Requests.
    pub requests: u64,
    /// Of those, retries.
    pub retries: u64,
    /// Stored answers.
    pub replays: u64,
    /// Why there were retries.
    causes: Vec<(&'static str, u64)>,
}

impl Figures {
    /// Why there were retries, in words.
    pub fn causes(&self) -> String {
        let told = self.causes.iter().filter(|(_, count)| *count > 0);
        told.map(|(cause, count)| format!("{count} {cause}")).collect::<Vec<_>>().join(", ")
    }
}

/// How long things took.
#[derive(Debug, Clone)]
pub struct AllTimes {
    /// Requests that settled a payment.
    pub settling: Times,
    /// Requests that a stored answer answered.
    pub replays: Times,
    /// Payments, from their first request to their first final answer.
    pub payments: Times,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Result<Self, Failure> {
        let times = || Times::new().map_err(|error| Failure::failed("preparing to measure", error));
        let times = AllTimes { settling: times()?, replays: times()?, payments: times()? };
        Ok(Self {
            requests: Counter::default(),
            ended: Counter::default(),
            replays: Counter::default(),
            conflicts: Counter::default(),
            accepted: Counter::default(),
            resolved: Counter::default(),
            looks: Counter::default(),
            in_use: Counter::default(),
            too_often: Counter::default(),
            unavailable: Counter::default(),
            failed: Counter::default(),
            unanswered: Counter::default(),
            times: Mutex::new(times),
        })
    }

    /// A request is sent again because of that.
    pub fn again(&self, trouble: &Trouble) {
        match trouble.kind {
            Kind::Accepted => self.looks.one_more(),
            Kind::InUse => self.in_use.one_more(),
            Kind::TooOften => self.too_often.one_more(),
            Kind::Unavailable => self.unavailable.one_more(),
            Kind::Nothing => self.unanswered.one_more(),
            Kind::Failed(_) | Kind::OtherRequest | Kind::Strange(_) => self.failed.one_more(),
        }
    }

    /// A final answer came after that time.
    pub fn answered(&self, is_replay: bool, time: Duration) {
        match is_replay {
            true => {
                self.replays.one_more();
                self.lock().replays.add(time);
            }
            false => self.lock().settling.add(time),
        }
    }

    /// A payment had its first final answer after that time.
    pub fn settled(&self, time: Duration) {
        self.lock().payments.add(time);
    }

    /// Requests sent again, whatever for; looks for what was accepted are none.
    pub fn retries(&self) -> u64 {
        let all =
            [&self.in_use, &self.too_often, &self.unavailable, &self.failed, &self.unanswered];
        all.iter().fold(0, |sum, counter| sum.saturating_add(counter.get()))
    }

    /// How often what was done so far.
    pub fn figures(&self) -> Figures {
        Figures {
            requests: self.requests.get(),
            retries: self.retries(),
            replays: self.replays.get(),
            causes: vec![
                ("while in use (409)", self.in_use.get()),
                ("after 429", self.too_often.get()),
                ("after 503", self.unavailable.get()),
                ("after other failures", self.failed.get()),
                ("without an answer", self.unanswered.get()),
            ],
        }
    }

    /// How long everything took so far.
    pub fn times(&self) -> AllTimes {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, AllTimes> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
