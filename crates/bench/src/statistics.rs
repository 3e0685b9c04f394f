//! Percentiles, and the table that they are shown in; knows nothing of what was measured.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::Failure;
use crate::traffic::Sample;

/// How long payments took, and how many were not made.
pub struct Latencies {
    all: Histogram<u64>,
    unpaid: usize,
}

impl Latencies {
    /// Of those.
    pub fn of(samples: impl IntoIterator<Item = Sample>) -> Result<Self, Failure> {
        let mut this = Self { all: Histogram::new(3)?, unpaid: 0 };
        for sample in samples {
            this.all.record(u64::try_from(sample.took.as_micros())?)?;
            this.unpaid += usize::from(!sample.is_paid);
        }
        Ok(this)
    }

    /// Adds others.
    pub fn add(&mut self, others: &Self) -> Result<(), Failure> {
        self.unpaid += others.unpaid;
        Ok(self.all.add(&others.all)?)
    }

    /// How many were not made.
    pub fn unpaid(&self) -> usize {
        self.unpaid
    }

    /// The time within which that share of them were answered.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.all.value_at_quantile(share))
    }
}

/// The heads of the columns of [`row`].
pub fn print_heads() {
    println!(
        "{:<12} {:>8} {:>6} {:>9} {:>9} {:>9} {:>10} {:>6}",
        "window", "payments", "unpaid", "p50 ms", "p99 ms", "max ms", "service %", "load"
    );
}

/// One row: a window's payments; for one window, the share of one core that the service used, and
/// the machine's load.
pub fn print_row(name: &str, latencies: &Latencies, busy: Option<f64>) {
    let surroundings = busy.map(|busy| format!("{:>10.0} {:>6}", busy * 100.0, load()));
    println!(
        "{:<12} {:>8} {:>6} {:>9.2} {:>9.2} {:>9.2} {}",
        name,
        latencies.all.len(),
        latencies.unpaid,
        milliseconds(latencies.quantile(0.5)),
        milliseconds(latencies.quantile(0.99)),
        milliseconds(Duration::from_micros(latencies.all.max())),
        surroundings.unwrap_or_default()
    );
}

/// How many times as long.
pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-6)
}

/// The middle one, or half way between the two in the middle; no number of none.
pub fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let middle = [all.len().saturating_sub(1) / 2, all.len() / 2];
    let [low, high] = middle.map(|place| all.get(place).copied().unwrap_or(f64::NAN));
    f64::midpoint(low, high)
}

/// For people.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// How many processes want to run, over the last minute.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_favours_neither_side() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), 3.0);
        assert!(median(vec![]).is_nan());
    }
}
