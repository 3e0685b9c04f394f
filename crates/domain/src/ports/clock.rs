//! Elapsed time.

use std::time::Duration;

/// Measures time that passes, also while the machine sleeps. Never tells the time of day: what
/// that decides is decided by the store's clock.
pub trait Clock: Send + Sync {
    /// Time since an arbitrary start, suspension included.
    fn elapsed(&self) -> Duration;
}
