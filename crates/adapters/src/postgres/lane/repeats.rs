//! Whether requests that come are mostly repeats of answered ones: then a look for the answer goes first, which
//! spares an opening all that it prepares and writes; else it would be one wait more for each new payment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the last batches of a store met; its lane and its callers share it.
#[derive(Debug, Clone, Default)]
pub struct Repeats(Arc<AtomicBool>);

impl Repeats {
    /// Whether a look is worth it.
    pub fn are_expected(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes how many of a batch's openings met a known key.
    pub fn opened(&self, calls: usize, known: usize) {
        if calls > 0 && known * 2 >= calls {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Notes how many of a batch's looks found something; none, where the batch failed and they all open.
    pub fn looked(&self, calls: usize, found: usize) {
        if found * 2 < calls {
            self.0.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_expected_from_a_batch_of_openings_until_a_batch_of_looks_that_held_mostly_others()
     {
        let repeats = Repeats::default();
        assert!(!repeats.are_expected());
        repeats.opened(10, 4);
        assert!(!repeats.are_expected());
        repeats.opened(10, 5);
        assert!(repeats.are_expected());
        repeats.opened(10, 0);
        assert!(repeats.are_expected(), "what looks have found is not opened");
        repeats.looked(10, 5);
        assert!(repeats.are_expected());
        repeats.looked(10, 4);
        assert!(!repeats.are_expected());
    }

    #[test]
    fn a_batch_without_any_says_nothing() {
        let repeats = Repeats::default();
        repeats.opened(0, 0);
        assert!(!repeats.are_expected());
        repeats.opened(1, 1);
        repeats.looked(0, 0);
        assert!(repeats.are_expected());
    }
}
