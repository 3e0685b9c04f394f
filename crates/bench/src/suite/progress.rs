//! How far a run is: a bar on a terminal, a line for each finished cell elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::figures::{Figure, Figures};
use super::measure::Outcome;
use crate::Failure;

/// What is shown of a run under way.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of so many cells.
    pub fn of(cells: usize) -> Result<Self, Failure> {
        let bar = ProgressBar::with_draw_target(
            Some(u64::try_from(cells)?),
            ProgressDrawTarget::stderr(),
        );
        let style = "{bar:30} {pos}/{len}  {elapsed} of about {duration}  {msg}";
        bar.set_style(ProgressStyle::with_template(style)?);
        bar.enable_steady_tick(Duration::from_millis(500));
        Ok(Self { bar })
    }

    /// What is being done.
    pub fn begin(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        if self.bar.is_hidden() && self.bar.position() == 0 {
            eprintln!("{what}");
        }
    }

    /// What came of it.
    pub fn end(&self, what: &str, outcome: &Outcome) {
        self.bar.inc(1);
        let line = format!("{what}: {}", brief(outcome));
        if self.bar.is_hidden() {
            let (at, of) = (self.bar.position(), self.bar.length().unwrap_or_default());
            eprintln!("[{at}/{of}] {line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Everything is done.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// In a few words.
fn brief(outcome: &Outcome) -> String {
    let figures = match outcome {
        Outcome::Measured(figures) => figures,
        Outcome::Absent(reason) => return format!("n/a: {reason}"),
    };
    let mut words = Vec::new();
    let mut say = |figure: Figure, words_of: fn(f64) -> String| {
        words.extend(Figures::get(figures, &figure).map(|value| words_of(*value)));
    };
    say(Figure::PerSecond, |it| format!("{it:.0}/s"));
    say(Figure::P50Ms, |it| format!("p50 {it:.2} ms"));
    say(Figure::P99Ms, |it| format!("p99 {it:.2} ms"));
    say(Figure::ProcessedPerSecond, |it| format!("{it:.0} processed/s"));
    say(Figure::Times, |it| format!("p99 {it:.2} times"));
    say(Figure::ResidentMb, |it| format!("{it:.0} MB"));
    if let Some(failed) = figures.get(&Figure::FailedShare).filter(|share| **share > 0.0) {
        words.push(format!("{:.2} % failed", failed * 100.0));
    }
    words.join(", ")
}
