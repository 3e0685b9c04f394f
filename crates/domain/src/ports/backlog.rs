//! Counts what is not settled, for whoever watches the service; decides nothing.

use std::time::Duration;

use async_trait::async_trait;

use super::RepositoryError;

/// Why a payment is not final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsettledState {
    /// An owner works on it, or died at it.
    Running,
    /// It is left for its client's next try.
    Open,
    /// It was accepted and waits for the recovery worker.
    Queued,
    /// The gateway's outcome is unknown.
    Unknown,
    /// An operator decides.
    InReview,
}

impl UnsettledState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Running, Self::Open, Self::Queued, Self::Unknown, Self::InReview];

    /// The name under which it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Open => "open",
            Self::Queued => "queued",
            Self::Unknown => "unknown",
            Self::InReview => "in_review",
        }
    }

    /// Reads a stored name.
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// The payments in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled {
    /// The state.
    pub state: UnsettledState,
    /// How many there are.
    pub payments: u64,
    /// How long ago the oldest of them was created.
    pub oldest: Duration,
}

/// What is not settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Each state that has payments, in no order.
    pub unsettled: Vec<Unsettled>,
    /// How many payments the recovery worker could take now.
    pub due: u64,
    /// How long the first of them has been due.
    pub lag: Duration,
}

/// Payments that are not final, in numbers.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait BacklogQueries: Send + Sync {
    /// Counts by the store's clock. Costs by what is unsettled, not by what is stored.
    async fn backlog(&self) -> Result<Backlog, RepositoryError>;
}
