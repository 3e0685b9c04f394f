//! The proof that the checker can fail: each rule of the protocol is broken on purpose, and must be
//! found broken.

use clap::ValueEnum;

use super::binaries::Binaries;
use super::{mode, progress};
use crate::Failure;
use crate::faults::Size;
use crate::options::{Break, Mode, Options};
use crate::referee::Behaviour;
use crate::report::Report;

/// Breaks rules, one in each run; whether each was found.
pub async fn prove(options: &Options, seed: u64, binaries: &Binaries) -> Result<bool, Failure> {
    let breakable = binaries.breakable.as_ref().ok_or("build the breakable service first")?;
    let breaks = match options.breaks.is_empty() {
        true => Break::value_variants().to_vec(),
        false => options.breaks.clone(),
    };
    let (mut reports, mut missed) = (Vec::new(), Vec::new());
    for broken in breaks {
        let mut order = mode::Order::new(mode_for(broken), options, seed, binaries);
        order.binary.clone_from(breakable);
        order.name = format!("{} under {}", broken.name(), order.mode.name());
        order.settings.push(("PAYONCE_SABOTAGE".to_owned(), broken.name()));
        order.size = size_for(broken);
        order.load.payments = order.size.payments;
        if broken == Break::NoForUpdate {
            // Only decisions about one record at one moment can tell.
            order.load.duplicates = 1_000;
            order.load.crowd = 6;
            order.gateway = Behaviour::calm();
        }
        let bar = progress(&order.name);
        let report = mode::run(&order, &bar).await?;
        bar.finish_and_clear();
        let mut findings = report.findings.broken.iter();
        let is_found = findings.any(|(rule, &times)| times > 0 && rule.is_a_promise());
        println!("{} {}", if is_found { "found" } else { "MISSED" }, report.line());
        if !is_found {
            missed.push(broken.name());
        }
        reports.push(report);
    }
    let verdict = match missed.is_empty() {
        true => format!("PROVEN: each of {} breaks was found; seed {seed}", reports.len()),
        false => format!("NOT PROVEN: missed {}; seed {seed}", missed.join(", ")),
    };
    println!("{verdict}");
    let folder = options.out.join("proof");
    Report { options: options.clone(), seed, verdict, modes: reports }.write(&folder)?;
    Ok(missed.is_empty())
}

/// The faults that can show it.
fn mode_for(broken: Break) -> Mode {
    match broken {
        Break::NoFence => Mode::Pause,
        Break::NoForUpdate => Mode::Locks,
        Break::FreshGatewayKey | Break::AnswerNotVerbatim => Mode::Kill,
        Break::TimeoutMeansFailed => Mode::Kill,
        Break::Early202 => Mode::Kill,
    }
}

/// As few as show it reliably.
fn size_for(broken: Break) -> Size {
    match broken {
        Break::NoFence => Size { payments: 3_000, faults: 60 },
        Break::NoForUpdate => Size { payments: 2_000, faults: 3 },
        Break::AnswerNotVerbatim => Size { payments: 200, faults: 5 },
        Break::FreshGatewayKey | Break::TimeoutMeansFailed => Size { payments: 1_000, faults: 30 },
        Break::Early202 => Size { payments: 500, faults: 60 },
    }
}
