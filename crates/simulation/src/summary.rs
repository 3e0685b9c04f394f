//! What a run came to, in words and figures for people; the page shows the same.

use std::path::PathBuf;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use crate::Options;
use crate::histograms::Times;
use crate::progress::Moment;
use crate::tally::{AllTimes, Figures};
use crate::verdict::Verdict;

/// A run that is over.
#[derive(Debug, Clone)]
pub struct Summary {
    pub(crate) surroundings: Vec<String>,
    pub(crate) options: Options,
    pub(crate) seed: u64,
    pub(crate) took: Duration,
    pub(crate) was_stopped: bool,
    pub(crate) verdict: Verdict,
    pub(crate) requests: Figures,
    pub(crate) times: AllTimes,
    pub(crate) moments: Vec<Moment>,
    pub(crate) kept: Option<PathBuf>,
}

/// A line of the table: what, how many, and more about it.
pub struct Row {
    /// What it is.
    pub name: &'static str,
    /// How many.
    pub count: u64,
    /// More about it.
    pub note: String,
    /// Whether it must be 0.
    pub must_be_none: bool,
}

impl Row {
    /// Its class on the page.
    pub fn class(&self) -> &'static str {
        match (self.must_be_none, self.count) {
            (true, 0) => "kept",
            (true, _) => "broken",
            (false, _) => "",
        }
    }
}

/// The heads of [`Summary::latencies`].
pub const LATENCY_HEADS: [&str; 6] = ["milliseconds", "count", "p50", "p90", "p99", "max"];

impl Summary {
    /// Why it did not end well, if so.
    pub fn failure(&self) -> Option<String> {
        match (self.verdict.is_kept(), self.verdict.never_settled) {
            (false, _) => Some("a promise was broken: see the table".to_owned()),
            (true, 0) => None,
            (true, open) => Some(format!(
                "{open} payments had no final answer {}: see the table, or give more --patience",
                self.in_time()
            )),
        }
    }

    fn in_time(&self) -> String {
        format!("within {}", humantime::format_duration(self.options.patience))
    }

    /// Everything, the most important last.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.surroundings();
        lines.push(self.table().to_string());
        lines.push(self.latency_table().to_string());
        let breaches = &self.verdict.breaches;
        lines.extend(breaches.iter().map(|breach| format!("FOUND  {breach}")));
        if let Some(folder) = &self.kept {
            lines.push(format!("what the service and its gateway wrote: {}", folder.display()));
        }
        if let Some(file) = &self.options.report {
            lines.push(format!("report: {}", file.display()));
        }
        lines.push(self.last_line());
        lines
    }

    /// What was run, in lines.
    pub fn surroundings(&self) -> Vec<String> {
        let Options { clients, duplicates, asynchronous, .. } = &self.options;
        let mut lines = self.surroundings.clone();
        lines.push(format!(
            "{clients} clients; {:.0} % of payments sent again, {:.0} % accepted first; seed {}",
            duplicates * 100.0,
            asynchronous * 100.0,
            self.seed
        ));
        let rate = precise(self.verdict.payments) / self.took.as_secs_f64().max(0.001);
        let took = self.took.as_secs_f64();
        lines.push(format!("{took:.1} s, {rate:.0} payments a second"));
        if self.was_stopped {
            let (made, wanted) = (self.verdict.payments, self.options.payments);
            lines.push(format!("ended early: {made} of {wanted} payments were begun"));
        }
        lines
    }

    /// The figures.
    pub fn rows(&self) -> Vec<Row> {
        let (it, requests) = (&self.verdict, &self.requests);
        let row = |name, count, note| Row { name, count, note, must_be_none: false };
        let none = |name, count, note: &str| Row {
            name,
            count,
            note: note.to_owned(),
            must_be_none: true,
        };
        let ends =
            format!("{} completed, {} declined, {} failed", it.completed, it.declined, it.failed);
        let ends = match it.cut_off {
            0 => ends,
            cut_off => format!("{ends}, {cut_off} cut off"),
        };
        let books = match it.is_by_books {
            true => "by the gateway's books",
            false => "by answers alone: no books were read (--gateway-url)",
        };
        let lost = format!(
            "{} paid without a charge, {} charged and called failed",
            it.not_charged, it.charged_though_failed
        );
        vec![
            row("payments", it.payments, ends),
            row("requests", requests.requests, String::new()),
            row("retries", requests.retries, requests.causes()),
            row("replays", requests.replays, "stored answers, word for word".to_owned()),
            row("conflicts", it.conflicts, "another amount under a known key, refused".to_owned()),
            row("accepted (202)", it.accepted, format!("{} settled later", it.resolved)),
            row("charges at the gateway", it.charges, books.to_owned()),
            none("double charges", it.doubles, "charges beyond a payment's first"),
            none("lost payments", it.lost(), &lost),
            none(
                "not settled in time",
                it.never_settled,
                &format!("no final answer {}", self.in_time()),
            ),
            none(
                "differing answers",
                it.differing,
                "repeats that were not the first answer's bytes",
            ),
            none("other requests executed", it.executed_others, "another amount under a known key"),
            none("strange answers", it.strange, "what no client may be told"),
        ]
    }

    /// Times in milliseconds, under [`LATENCY_HEADS`].
    pub fn latencies(&self) -> Vec<[String; 6]> {
        let row = |name: &str, times: &Times| {
            let shares = [0.5, 0.9, 0.99].map(|share| format!("{:.1}", times.within(share)));
            let [p50, p90, p99] = shares;
            let longest = format!("{:.1}", times.longest());
            [name.to_owned(), times.count().to_string(), p50, p90, p99, longest]
        };
        let AllTimes { settling, replays, payments } = &self.times;
        vec![
            row("a request that settled it", settling),
            row("a replay, waiting included", replays),
            row("a payment, retries included", payments),
        ]
    }

    /// What it comes to.
    pub fn last_line(&self) -> String {
        let it = &self.verdict;
        let (payments, charges, doubles) = (it.payments, it.charges, it.doubles);
        let kept = match (it.is_kept(), it.never_settled == 0, self.was_stopped) {
            (false, ..) => "PROMISES BROKEN: ",
            (true, false, _) => "NOT ALL SETTLED: ",
            (true, true, true) => "ended early, all promises kept so far: ",
            (true, true, false) => "all promises kept: ",
        };
        format!("{kept}{payments} payments, {charges} charges, {doubles} double charges")
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        for row in self.rows() {
            table.add_row([row.name.to_owned(), row.count.to_string(), row.note]);
        }
        for column in table.column_iter_mut().skip(1).take(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn latency_table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        table.set_header(LATENCY_HEADS);
        for row in self.latencies() {
            table.add_row(row);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

/// A count as a number to divide by.
pub fn precise(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
