//! What a run has found, as data: for the terminal, a file and the page.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::cell::{Cell, Group};
use super::figures::{Figure, Figures};
use super::machine::Machine;
use super::measure::Outcome;
use super::targets::{Results, Row, Verdict, judge};

/// A run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it was.
    pub machine: Machine,
    /// How often each cell was measured; figures are medians.
    pub rounds: u32,
    /// For how long, each time.
    pub seconds: u32,
    /// The load average at its end.
    pub load_after: f64,
    /// What was set, and how the figures stand to it.
    pub table: Vec<Row>,
    /// Every cell.
    pub cells: Vec<Measured>,
}

/// A cell.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// Which.
    pub cell: Cell,
    /// What it belongs to.
    pub group: Group,
    /// Medians; none where it cannot be measured.
    pub medians: Figures,
    /// Each round.
    pub rounds: Vec<Figures>,
    /// Why it cannot be measured.
    pub absent: Option<&'static str>,
}

impl Report {
    /// Judges.
    pub fn new(
        machine: Machine,
        (rounds, seconds): (u32, u32),
        load_after: f64,
        cells: Vec<Measured>,
    ) -> Self {
        let results: Results = cells.iter().map(|it| (it.cell, it.outcome())).collect();
        Self { machine, rounds, seconds, load_after, table: judge(&results), cells }
    }

    /// A cell's median; none where it was not measured.
    pub fn figure(&self, cell: Cell, figure: Figure) -> Option<f64> {
        let measured = self.cells.iter().find(|it| it.cell == cell)?;
        measured.medians.get(&figure).copied()
    }

    /// The machine and the run in lines.
    pub fn surroundings(&self) -> Vec<String> {
        let it = &self.machine;
        let mut lines = vec![
            format!(
                "{} cores, {}, {} GB, Linux {}",
                it.cores, it.processor, it.memory_gb, it.kernel
            ),
            it.postgres.clone(),
            format!("the disk: {:.0} synchronous writes of 8 KiB a second", it.syncs_per_second),
            format!("commit {}, {}", it.commit, it.began_at),
            format!(
                "medians of {} rounds of {} s; load average before {:.2}, after {:.2}",
                self.rounds, self.seconds, it.load_before, self.load_after
            ),
        ];
        if it.was_busy() {
            lines.push(BUSY.to_owned());
        }
        lines
    }

    /// The table of what was set, for a terminal.
    pub fn verdicts(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        table.set_header(VERDICT_HEADS);
        for row in &self.table {
            table.add_row(row.words());
        }
        align(&mut table, 6);
        table
    }

    /// Every cell, for a terminal.
    pub fn details(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        table.set_header(DETAIL_HEADS);
        for cell in &self.cells {
            table.add_row(cell.words());
        }
        align(&mut table, DETAIL_HEADS.len());
        table
    }
}

/// What a busy machine's figures are worth.
pub const BUSY: &str =
    "the machine was busy before the run began: only ratios mean something, and those little";

/// The heads of [`Row::words`].
pub const VERDICT_HEADS: [&str; 7] =
    ["cell", "value", "reference", "ratio", "must", "goal", "verdict"];

/// The heads of [`Measured::words`].
pub const DETAIL_HEADS: [&str; 10] = [
    "cell",
    "per second",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "max ms",
    "failed %",
    "service µs",
    "RSS MB",
    "other",
];

fn align(table: &mut Table, until: usize) {
    for column in table.column_iter_mut().take(until).skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

impl Row {
    /// Its verdict in a word.
    pub fn class(&self) -> &'static str {
        match self.verdict {
            Verdict::Goal => "goal",
            Verdict::Must => "must",
            Verdict::Short => "short",
            Verdict::Absent(_) => "absent",
        }
    }

    /// Its columns.
    pub fn words(&self) -> [String; 7] {
        let number = |value: Option<f64>| value.map(number).unwrap_or_default();
        let verdict = match &self.verdict {
            Verdict::Absent(reason) => format!("n/a: {reason}"),
            _ => self.class().to_owned(),
        };
        [
            self.name.to_owned(),
            number(self.value),
            number(self.reference),
            number(self.ratio),
            number(Some(self.must)),
            number(Some(self.goal)),
            verdict,
        ]
    }
}

impl Measured {
    /// What it comes to.
    fn outcome(&self) -> Outcome {
        match self.absent {
            Some(reason) => Outcome::Absent(reason),
            None => Outcome::Measured(self.medians.clone()),
        }
    }

    /// Its columns.
    pub fn words(&self) -> [String; 10] {
        let of = |figure| self.medians.get(&figure).copied();
        let show = |figure| of(figure).map(number).unwrap_or_default();
        let failed = of(Figure::FailedShare).map(|share| number(share * 100.0));
        let other = match (self.absent, of(Figure::Times), of(Figure::ProcessedPerSecond)) {
            (Some(reason), ..) => format!("n/a: {reason}"),
            (_, Some(times), _) => format!("p99 {times:.2} times"),
            (.., Some(processed)) => format!("{processed:.0} processed/s"),
            _ => String::new(),
        };
        [
            self.cell.to_string(),
            show(Figure::PerSecond),
            show(Figure::P50Ms),
            show(Figure::P90Ms),
            show(Figure::P99Ms),
            show(Figure::LongestMs),
            failed.unwrap_or_default(),
            show(Figure::ServiceUs),
            show(Figure::ResidentMb),
            other,
        ]
    }
}

/// With as many digits as mean something.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1_000.0 {
        let whole = format!("{value:.0}");
        let (head, tail) = whole.split_at(whole.len() - 3);
        format!("{head},{tail}")
    } else if magnitude >= 100.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_mean_something() {
        let shown = [11_574.2, 100.4, 12.34, 0.354].map(number);
        assert_eq!(shown, ["11,574", "100", "12.3", "0.35"]);
    }
}
