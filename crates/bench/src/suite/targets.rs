//! What the figures must be and ought to be, and the verdict on each; knows nothing of how they
//! are measured.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cell::{Cell, Script, Source, Store};
use super::figures::{Figure, Figures};
use super::measure::Outcome;
use super::plan::{BATCHING_CLIENTS, CLIENTS};

/// More failures than this, and a cell's figures are no throughput.
const MOST_FAILURES: f64 = 0.001;

/// The medians of every cell.
pub type Results = BTreeMap<Cell, Outcome>;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// A rate.
    Higher,
    /// A time or a size.
    Lower,
}

/// How a figure stands to what was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It reaches the goal.
    Goal,
    /// It reaches what it must.
    Must,
    /// It falls short.
    Short,
    /// It was not measured, or its reference was not.
    Absent(String),
}

/// A number beside which another is put.
#[derive(Debug, Clone, Copy)]
struct Place(Cell, Figure);

/// One row of what is set.
struct Target {
    name: &'static str,
    value: Place,
    /// One of these, the best, is what the value is divided by; with none, the value itself is judged.
    references: Vec<Place>,
    better: Better,
    must: f64,
    goal: f64,
}

/// One row of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What is judged.
    pub name: &'static str,
    /// The measured value.
    pub value: Option<f64>,
    /// What it is divided by.
    pub reference: Option<f64>,
    /// The quotient.
    pub ratio: Option<f64>,
    /// Which way is better.
    pub better: Better,
    /// The least that is asked for.
    pub must: f64,
    /// What is aimed at.
    pub goal: f64,
    /// How it stands.
    pub verdict: Verdict,
}

/// Every row.
pub fn judge(results: &Results) -> Vec<Row> {
    targets().into_iter().map(|target| target.judge(results)).collect()
}

impl Target {
    /// A number for itself.
    fn of(name: &'static str, value: Place, better: Better, must: f64, goal: f64) -> Self {
        Self { name, value, references: Vec::new(), better, must, goal }
    }

    /// A number as a multiple of the best of others.
    fn by(mut self, references: impl IntoIterator<Item = Place>) -> Self {
        self.references.extend(references);
        self
    }

    fn judge(&self, results: &Results) -> Row {
        let value = self.value.in_results(results);
        let references = self.references.iter().map(|place| place.in_results(results));
        let references: Result<Vec<_>, _> = references.collect();
        // The best of several is known only once all of them are.
        let reference = references.map(|all| match self.better {
            Better::Higher => all.into_iter().reduce(f64::max),
            Better::Lower => all.into_iter().reduce(f64::min),
        });
        let ratio = match (&value, &reference) {
            (Ok(value), Ok(Some(reference))) => Some(value / reference),
            _ => None,
        };
        let verdict = match (&value, &reference) {
            (Err(reason), _) | (_, Err(reason)) => Verdict::Absent(reason.clone()),
            (Ok(value), Ok(_)) => self.verdict(ratio.unwrap_or(*value), results),
        };
        Row {
            name: self.name,
            value: value.ok(),
            reference: reference.ok().flatten(),
            ratio,
            better: self.better,
            must: self.must,
            goal: self.goal,
            verdict,
        }
    }

    fn verdict(&self, judged: f64, results: &Results) -> Verdict {
        let reaches = |bound| match self.better {
            Better::Higher => judged >= bound,
            Better::Lower => judged <= bound,
        };
        let failed = Place(self.value.0, Figure::FailedShare).in_results(results).unwrap_or(0.0);
        if failed > MOST_FAILURES || !reaches(self.must) {
            Verdict::Short
        } else if reaches(self.goal) {
            Verdict::Goal
        } else {
            Verdict::Must
        }
    }
}

impl Place {
    fn in_results(self, results: &Results) -> Result<f64, String> {
        let Self(cell, figure) = self;
        match results.get(&cell) {
            Some(Outcome::Measured(figures)) => {
                Figures::get(figures, &figure).copied().ok_or_else(|| "not measured".to_owned())
            }
            Some(Outcome::Absent(reason)) => Err((*reason).to_owned()),
            None => match cell {
                Cell::Growth { millions: 10 } => Err("make bench-full".to_owned()),
                _ => Err("not measured".to_owned()),
            },
        }
    }
}

fn targets() -> Vec<Target> {
    use Better::{Higher, Lower};
    use Figure::{P50Ms, P99Ms, PerSecond, ResidentMb};
    let disk = |connections| Cell::fresh(Store::Disk, connections);
    let single = |clients| Cell::Pgbench { script: Script::Single, clients };
    let best = CLIENTS.map(|clients| Place(single(clients), PerSecond));
    let batched = Cell::Pgbench { script: Script::Batched, clients: BATCHING_CLIENTS };
    let gateway = Cell::Fresh { store: Store::Disk, connections: 1024, gateway: 20 };
    let (bare, replays) = (Place(Cell::Bare, PerSecond), |it| Place(Cell::Replays(it), PerSecond));
    let grown = |millions| Place(Cell::Growth { millions }, PerSecond);
    let memory = |connections| Place(Cell::Memory { connections }, ResidentMb);
    let sqlite = Cell::fresh(Store::Sqlite, 64);
    vec![
        Target::of(
            "fresh payments, 64 connections ÷ pgbench's best",
            Place(disk(64), PerSecond),
            Higher,
            4.0,
            6.0,
        )
        .by(best),
        Target::of(
            "fresh payments, 256 connections ÷ pgbench's best",
            Place(disk(256), PerSecond),
            Higher,
            5.0,
            8.0,
        )
        .by(best),
        Target::of(
            "fresh payments, 256 connections ÷ pgbench in batches of 64",
            Place(disk(256), PerSecond),
            Higher,
            0.3,
            0.5,
        )
        .by([Place(batched, PerSecond)]),
        Target::of(
            "fresh payments/s, 256 connections, disk",
            Place(disk(256), PerSecond),
            Higher,
            11_574.0,
            30_000.0,
        ),
        Target::of(
            "fresh payments/s, 256 connections, tmpfs",
            Place(Cell::fresh(Store::Tmpfs, 256), PerSecond),
            Higher,
            20_000.0,
            45_000.0,
        ),
        Target::of(
            "p99 ms, 64 connections ÷ pgbench, 64 clients",
            Place(disk(64), P99Ms),
            Lower,
            0.8,
            0.35,
        )
        .by([Place(single(64), P99Ms)]),
        Target::of(
            "p50 ms, one connection ÷ pgbench, one client",
            Place(disk(1), P50Ms),
            Lower,
            1.3,
            1.1,
        )
        .by([Place(single(1), P50Ms)]),
        Target::of(
            "replays/s from memory ÷ bare handler",
            replays(Source::Memory),
            Higher,
            0.7,
            0.9,
        )
        .by([bare]),
        Target::of("replays/s from Redis ÷ bare handler", replays(Source::Redis), Higher, 0.6, 0.8)
            .by([bare]),
        Target::of(
            "replays/s from PostgreSQL ÷ bare handler",
            replays(Source::Postgres),
            Higher,
            0.5,
            0.75,
        )
        .by([bare]),
        Target::of(
            "webhooks/s ÷ fresh payments/s, 64 connections",
            Place(Cell::Webhooks { duplicates: 0 }, PerSecond),
            Higher,
            1.3,
            1.5,
        )
        .by([Place(disk(64), PerSecond)]),
        Target::of(
            "SQLite, payments/s, 64 connections",
            Place(sqlite, PerSecond),
            Higher,
            12_000.0,
            23_000.0,
        ),
        Target::of("SQLite, p99 ms, 64 connections", Place(sqlite, P99Ms), Lower, 12.0, 6.0),
        Target::of(
            "gateway 20 ms, 1024 connections, payments/s",
            Place(gateway, PerSecond),
            Higher,
            15_000.0,
            30_000.0,
        ),
        Target::of(
            "gateway 20 ms, 1024 connections, p99 ms",
            Place(gateway, P99Ms),
            Lower,
            90.0,
            50.0,
        ),
        Target::of("payments/s beside 10 million keys ÷ beside none", grown(10), Higher, 0.7, 0.9)
            .by([grown(0)]),
        Target::of("resident MB, 64 connections, caches empty", memory(64), Lower, 64.0, 32.0),
        Target::of("resident MB, 256 connections, caches empty", memory(256), Lower, 100.0, 48.0),
    ]
}

#[cfg(test)]
mod tests;
