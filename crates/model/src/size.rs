//! How much of everything a run of the checker has.

use std::fmt::{self, Display, Formatter};

use clap::ValueEnum;

use crate::state::Budget;

/// What an expired key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AfterExpiry {
    /// It is refused.
    Refuse,
    /// It names a new request, the next generation.
    Reuse,
}

/// A configuration of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Requests with the same key and payload: the first, its duplicates, its client's retries.
    pub requests: u8,
    /// Requests with another payload under the same key.
    pub others: u8,
    /// Recovery workers.
    pub workers: u8,
    /// Charges sent in one round of attempts.
    pub attempts: u8,
    /// What may go wrong.
    pub budget: Budget,
    /// Whether requests leave the paying to recovery.
    pub is_queued: bool,
    /// Whether what failed is left for its client's next try instead of being voided.
    pub stays_open: bool,
    /// Whether answers expire, are purged and forgotten.
    pub expires: bool,
    /// What an expired key does.
    pub after_expiry: AfterExpiry,
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { requests, others, workers, attempts, budget, .. } = self;
        let Budget { crashes, faults, pauses, cache_losses, doubts } = budget;
        write!(
            f,
            "requests {requests} and {others} other, workers {workers}, attempts {attempts}, \
             crashes {crashes}, gateway faults {faults}, pauses {pauses}, \
             cache losses {cache_losses}, commits in doubt {doubts}"
        )?;
        if self.is_queued {
            f.write_str(", queued")?;
        }
        if self.stays_open {
            f.write_str(", left open")?;
        }
        match (self.expires, self.after_expiry) {
            (false, _) => f.write_str(", no expiry"),
            (true, AfterExpiry::Refuse) => f.write_str(", expired keys refused"),
            (true, AfterExpiry::Reuse) => f.write_str(", expired keys reused"),
        }
    }
}

/// A configuration with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// For every test run: seconds.
    Small,
    /// For every change: less than a minute.
    Ci,
    /// For the night.
    Large,
}

impl Preset {
    /// How much of everything.
    pub fn size(self) -> Size {
        let budget = Budget { crashes: 1, faults: 2, pauses: 1, cache_losses: 1, doubts: 0 };
        let small = Size {
            requests: 2,
            others: 1,
            workers: 2,
            attempts: 2,
            budget,
            is_queued: false,
            stays_open: false,
            expires: true,
            after_expiry: AfterExpiry::Refuse,
        };
        match self {
            Self::Small => small,
            Self::Ci => Size { budget: Budget { crashes: 2, doubts: 1, ..budget }, ..small },
            Self::Large => {
                let budget = Budget { crashes: 2, faults: 3, pauses: 2, ..budget };
                Size { requests: 3, budget, ..small }
            }
        }
    }
}
