//! The whole bench: every cell in turn, round after round, then one table, the results as JSON and
//! a page. `scripts/bench` prepares what it needs.

mod cell;
mod database;
mod figures;
mod machine;
mod measure;
mod page;
mod pgbench;
mod plan;
mod plots;
mod progress;
mod report;
mod rows;
mod seed;
mod stage;
mod targets;
mod wrk;

use std::collections::BTreeMap;
use std::fs::{create_dir_all, write};
use std::path::PathBuf;

use clap::Args;

use self::cell::{Cell, Group};
use self::figures::{Figures, medians};
use self::machine::Machine;
use self::measure::{Measurer, Outcome};
use self::progress::Progress;
use self::report::{Measured, Report};
use self::stage::{Stage, Surroundings};
use crate::Failure;
use crate::books::text;

/// What is run, and for how long.
#[derive(Debug, Args)]
pub struct Suite {
    /// How often each cell is measured; figures are medians.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// For how long, each time.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// One round of 2 seconds: a look, no measurement.
    #[arg(long)]
    quick: bool,
    /// Beside 10 million stored payments, too.
    #[arg(long)]
    full: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,
    /// Where results.json and report.html go.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    #[command(flatten)]
    surroundings: Surroundings,
}

impl Suite {
    /// Measures, prints, and writes the results down.
    pub async fn measure(self) -> Result<(), Failure> {
        let (rounds, seconds) = if self.quick { (1, 2) } else { (self.rounds, self.seconds) };
        create_dir_all(&self.out)?;
        let settings = &self.surroundings.settings;
        let version = text(self.surroundings.disk(), "SELECT version() AS t")?;
        let postgres = format!("{}; {settings}", version.split(" on ").next().unwrap_or(&version));
        let machine = Machine::look(&self.surroundings.scratch, postgres)?;
        if machine.was_busy() {
            eprintln!("load average {:.2}: {}", machine.load_before, report::BUSY);
        }

        let millions: &[u32] = if self.full { &[0, 1, 10] } else { &[0, 1] };
        let cells = plan::cells(&self.only, millions);
        let stage = Stage::set(self.surroundings, seconds).await?;
        let mut measurer = Measurer::new(stage);
        let progress = Progress::of(cells.len() * usize::try_from(rounds)?)?;
        for cell in &cells {
            if let Cell::Growth { millions: millions @ 1.. } = *cell {
                let told = |million: u32| {
                    progress.begin(&format!("storing {} of {millions} million", million + 1));
                };
                measurer.grow(millions, told).await?;
            }
        }
        let mut all = BTreeMap::<Cell, Vec<Outcome>>::new();
        for _ in 0..rounds {
            for cell in &cells {
                let name = cell.to_string();
                progress.begin(&name);
                let outcome = measurer.measure(*cell).await;
                let outcome =
                    outcome.map_err(|failure| format!("{name}: {failure}\n{}", measurer.log()))?;
                progress.end(&name, &outcome);
                all.entry(*cell).or_default().push(outcome);
            }
        }
        progress.finish();

        let measured = cells.iter().map(|cell| gather(*cell, all.remove(cell).unwrap_or_default()));
        let report = Report::new(machine, (rounds, seconds), machine::load()?, measured.collect());
        println!("{}\n\n{}\n", report.details(), report.surroundings().join("\n"));
        println!("{}", report.verdicts());
        let (results, page) = (self.out.join("results.json"), self.out.join("report.html"));
        write(&results, serde_json::to_string_pretty(&report)?)?;
        write(&page, page::page(&report)?)?;
        println!("{}, {}", results.display(), page.display());
        Ok(())
    }
}

/// A cell's rounds together.
fn gather(cell: Cell, outcomes: Vec<Outcome>) -> Measured {
    let mut rounds = Vec::<Figures>::new();
    let mut absent = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Measured(figures) => rounds.push(figures),
            Outcome::Absent(reason) => absent = Some(reason),
        }
    }
    Measured { cell, group: cell.group(), medians: medians(&rounds), rounds, absent }
}
