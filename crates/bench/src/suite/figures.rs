//! What a cell measured, as numbers, and their medians; knows nothing of how they came about.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::statistics::median;

/// What a number says, its unit included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Requests or payments that succeeded, a second.
    PerSecond,
    /// Milliseconds within which half were answered.
    P50Ms,
    /// Milliseconds within which 90 % were answered.
    P90Ms,
    /// Milliseconds within which 99 % were answered.
    P99Ms,
    /// Milliseconds that the slowest took.
    LongestMs,
    /// The share of requests that got an error, or no answer.
    FailedShare,
    /// Processor time of the service for each request, in microseconds.
    ServiceUs,
    /// Most memory that the service had resident under load, in MB.
    ResidentMb,
    /// Most memory that it ever had resident, in MB.
    PeakMb,
    /// Announced transactions processed a second.
    ProcessedPerSecond,
    /// How many times as long others waited.
    Times,
}

/// The numbers of one run of one cell.
pub type Figures = BTreeMap<Figure, f64>;

/// The median of each number over the rounds.
pub fn medians(rounds: &[Figures]) -> Figures {
    let mut all = BTreeMap::<Figure, Vec<f64>>::new();
    for (figure, value) in rounds.iter().flatten() {
        all.entry(*figure).or_default().push(*value);
    }
    all.into_iter().map(|(figure, values)| (figure, median(values))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_a_median_of_its_own() {
        let rounds = [
            Figures::from([(Figure::PerSecond, 3.0), (Figure::P99Ms, 10.0)]),
            Figures::from([(Figure::PerSecond, 1.0), (Figure::P99Ms, 30.0)]),
            Figures::from([(Figure::PerSecond, 2.0), (Figure::P99Ms, 20.0)]),
        ];
        let expected = Figures::from([(Figure::PerSecond, 2.0), (Figure::P99Ms, 20.0)]);
        assert_eq!(medians(&rounds), expected);
    }

    #[test]
    fn a_figure_that_one_round_lacks_is_the_median_of_the_others() {
        let rounds = [Figures::from([(Figure::PerSecond, 3.0)]), Figures::new()];
        assert_eq!(medians(&rounds), Figures::from([(Figure::PerSecond, 3.0)]));
    }
}
