//! A run under way: bars on a terminal, a line now and then elsewhere, and the figures of each moment
//! for the page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};

use crate::Failure;
use crate::client::Shared;
use crate::summary::precise;

const TICK: Duration = Duration::from_millis(250);
/// Between two lines where there is no terminal, in ticks.
const LINE: usize = 8;

/// The figures of a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moment {
    /// Seconds since the beginning.
    pub at: f64,
    /// Payments that had ended.
    pub ended: u64,
    /// Requests sent again until then.
    pub retries: u64,
    /// Requests answered by a stored answer until then.
    pub replays: u64,
}

/// What is shown of a run.
pub struct Progress {
    shared: Arc<Shared>,
    all: MultiProgress,
    payments: ProgressBar,
    accepted: ProgressBar,
    began: Instant,
    moments: Vec<Moment>,
}

impl Progress {
    /// Of a run that begins.
    pub fn of(shared: Arc<Shared>) -> Result<Self, Failure> {
        let failed = |error| Failure::failed("showing the progress", error);
        let style = |template| ProgressStyle::with_template(template).map_err(failed);
        let all = MultiProgress::new();
        let payments = all.add(ProgressBar::new(u64::from(shared.payments)));
        let bar = "{prefix:>18} {bar:32} {pos}/{len}  {elapsed}  {msg}";
        payments.set_style(style(bar)?);
        payments.set_prefix("payments");
        let accepted = all.add(ProgressBar::new(0));
        accepted.set_style(style("{prefix:>18} {bar:32} {pos}/{len}  {msg}")?);
        accepted.set_prefix("accepted, settled");
        Ok(Self { shared, all, payments, accepted, began: Instant::now(), moments: Vec::new() })
    }

    /// Shows it until it is dropped with what it waits for: the moments are read by `end`.
    pub async fn show(&mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look();
            if self.all.is_hidden() && self.moments.len().is_multiple_of(LINE) {
                eprintln!("{}", self.line());
            }
        }
    }

    /// Clears the bars; the moments of the run.
    pub fn end(mut self) -> Vec<Moment> {
        self.look();
        self.payments.finish_and_clear();
        self.accepted.finish_and_clear();
        drop(self.all.clear());
        self.moments
    }

    fn look(&mut self) {
        let tally = &self.shared.tally;
        let moment = Moment {
            at: self.began.elapsed().as_secs_f64(),
            ended: tally.ended.get(),
            retries: tally.retries(),
            replays: tally.replays.get(),
        };
        self.moments.push(moment);
        self.payments.set_position(moment.ended);
        let (retries, replays) = (moment.retries, moment.replays);
        let conflicts = tally.conflicts.get();
        let rate = precise(moment.ended) / moment.at.max(0.001);
        self.payments.set_message(format!("{rate:.0} a second, {retries} retries"));
        self.accepted.set_length(tally.accepted.get());
        self.accepted.set_position(tally.resolved.get());
        self.accepted.set_message(format!("{replays} replays, {conflicts} conflicts"));
    }

    fn line(&self) -> String {
        let tally = &self.shared.tally;
        format!(
            "{:5.1} s  {} of {} payments, {} retries, {} replays, {} conflicts, {} of {} accepted settled",
            self.began.elapsed().as_secs_f64(),
            tally.ended.get(),
            self.shared.payments,
            tally.retries(),
            tally.replays.get(),
            tally.conflicts.get(),
            tally.resolved.get(),
            tally.accepted.get(),
        )
    }
}
