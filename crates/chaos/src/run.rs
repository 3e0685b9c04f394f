//! One run: each mode in a world of its own, from the first fault to the verdict.

mod binaries;
mod mode;
mod prove;

use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use rand::RngExt;

use crate::Failure;
use crate::checker::Rule;
use crate::options::{Mode, Options};
use crate::report::{ModeReport, Report};
use binaries::Binaries;

/// Runs what was asked for; whether all is as it must be.
pub async fn run(options: Options) -> Result<bool, Failure> {
    let seed = options.seed.unwrap_or_else(|| rand::rng().random());
    let binaries = Binaries::find(&options)?;
    println!("seed {seed}, {}", serde_json::to_string(&options)?);
    if options.prove {
        return prove::prove(&options, seed, &binaries).await;
    }
    let modes = if options.modes.is_empty() {
        Mode::value_variants().to_vec()
    } else {
        options.modes.clone()
    };
    let mut reports = Vec::new();
    for mode in modes {
        let bar = progress(&mode.name());
        let report = mode::run(&mode::Order::new(mode, &options, seed, &binaries), &bar).await?;
        bar.finish_and_clear();
        tell(&report);
        reports.push(report);
    }
    let is_sound = reports.iter().all(ModeReport::is_clean);
    let verdict = verdict(&reports, seed);
    println!("{verdict}");
    let folder = options.out.clone();
    Report { options, seed, verdict, modes: reports }.write(&folder)?;
    println!("report: {0}/report.json, timeline: {0}/timeline.html", folder.display());
    Ok(is_sound)
}

fn tell(report: &ModeReport) {
    println!("{}", report.line());
    for note in &report.notes {
        println!("    {note}");
    }
    for (rule, examples) in &report.findings.examples {
        for example in examples {
            println!("    {}: {example}", rule.in_words());
        }
    }
}

fn verdict(reports: &[ModeReport], seed: u64) -> String {
    let sum = |number: fn(&ModeReport) -> u64| reports.iter().map(number).sum::<u64>();
    let broken: Vec<_> = Rule::ALL
        .into_iter()
        .map(|rule| {
            let times: u64 =
                reports.iter().filter_map(|report| report.findings.broken.get(&rule)).sum();
            format!("{times} {}", rule.in_words())
        })
        .collect();
    let reviews = sum(|it| it.findings.states.get("NEEDS_REVIEW").copied().unwrap_or(0));
    let skipped = reports.iter().filter(|report| report.skipped.is_some()).count();
    let is_sound = reports.iter().all(ModeReport::is_clean);
    format!(
        "{}: {} modes ({skipped} not run), {} payments, {} faults: {}; {reviews} in review; seed {seed}",
        if is_sound { "SOUND" } else { "BROKEN" },
        reports.len(),
        sum(|it| it.payments),
        sum(|it| it.faults.values().sum()),
        broken.join(", "),
    )
}

fn progress(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_prefix(name.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
