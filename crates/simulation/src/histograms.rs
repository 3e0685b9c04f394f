//! How long things took, in three figures' precision, and what is read from it.

use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

/// The longest time that is told apart.
const LONGEST_US: u64 = 600_000_000;

/// Times of one kind.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Times {
    /// None yet.
    pub fn new() -> Result<Self, CreationError> {
        Histogram::new_with_bounds(1, LONGEST_US, 3).map(Self)
    }

    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.max(1));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time within which this share of them was, in milliseconds.
    pub fn within(&self, share: f64) -> f64 {
        milliseconds(self.0.value_at_quantile(share))
    }

    /// The longest, in milliseconds.
    pub fn longest(&self) -> f64 {
        milliseconds(self.0.max())
    }
}

fn milliseconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_in_milliseconds() {
        let mut times = Times::new().unwrap();
        (1..=100).for_each(|ms| times.add(Duration::from_millis(ms)));
        times.add(Duration::from_secs(3_600));
        assert_eq!(times.count(), 101);
        assert!((49.0..52.0).contains(&times.within(0.5)), "{}", times.within(0.5));
        assert!(times.longest() >= 600_000.0, "{}", times.longest());
    }
}
