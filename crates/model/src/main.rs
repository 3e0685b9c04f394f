//! `model`: checks the protocol at a chosen size and says what it found.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use payonce_model::check::{self, Outcome, Verdict};
use payonce_model::mutations::Mutation;
use payonce_model::protocol::Protocol;
use payonce_model::size::{AfterExpiry, Preset, Size};
use payonce_model::words;

/// Tries every order of events at a chosen size. Exit code 1: a rule is broken, or something that
/// should happen never does.
#[derive(Debug, Parser)]
struct Arguments {
    /// How much of everything there is.
    #[arg(long, value_enum, default_value_t = Preset::Ci)]
    size: Preset,
    /// Switch one rule off and see it noticed.
    #[arg(long, value_enum)]
    mutation: Option<Mutation>,
    /// Requests leave the paying to recovery.
    #[arg(long)]
    queued: bool,
    /// What failed is left for its client's next try.
    #[arg(long)]
    stays_open: bool,
    /// What an expired key does, instead of what the size says.
    #[arg(long, value_enum)]
    after_expiry: Option<AfterExpiry>,
    /// Requests with the same key and payload.
    #[arg(long)]
    requests: Option<u8>,
    /// Requests with another payload.
    #[arg(long)]
    others: Option<u8>,
    /// Recovery workers.
    #[arg(long)]
    workers: Option<u8>,
    /// Charges in one round.
    #[arg(long)]
    attempts: Option<u8>,
    /// Crashes.
    #[arg(long)]
    crashes: Option<u8>,
    /// Gateway calls without a usable answer.
    #[arg(long)]
    faults: Option<u8>,
    /// Owners paused for longer than their lease.
    #[arg(long)]
    pauses: Option<u8>,
    /// Losses of a filled cache.
    #[arg(long)]
    cache_losses: Option<u8>,
    /// Commits whose outcome is in doubt.
    #[arg(long)]
    doubts: Option<u8>,
    /// Threads, instead of one for each core.
    #[arg(long)]
    threads: Option<usize>,
}

impl Arguments {
    fn size(&self) -> Size {
        let mut size = self.size.size();
        let budget = &mut size.budget;
        let numbers = [
            (&mut size.requests, self.requests),
            (&mut size.others, self.others),
            (&mut size.workers, self.workers),
            (&mut size.attempts, self.attempts),
            (&mut budget.crashes, self.crashes),
            (&mut budget.faults, self.faults),
            (&mut budget.pauses, self.pauses),
            (&mut budget.cache_losses, self.cache_losses),
            (&mut budget.doubts, self.doubts),
        ];
        for (number, asked) in numbers {
            *number = asked.unwrap_or(*number);
        }
        size.is_queued |= self.queued;
        size.stays_open |= self.stays_open;
        size.after_expiry = self.after_expiry.unwrap_or(size.after_expiry);
        size
    }
}

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let protocol = Protocol { size: arguments.size(), mutation: arguments.mutation };
    let mut out = io::stdout().lock();
    writeln!(out, "{}", protocol.size)?;
    if let Some(mutation) = protocol.mutation {
        writeln!(out, "with one rule switched off: {mutation:?}")?;
    }
    let threads = arguments
        .threads
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
    let outcome = check::run(protocol, threads);
    report(&mut out, outcome)
}

fn report(out: &mut impl Write, outcome: Outcome) -> io::Result<ExitCode> {
    let extent = if outcome.is_complete { "every state" } else { "stopped at a broken rule" };
    writeln!(
        out,
        "{} unique states of {} generated, depth {}, {:.1?} ({extent})",
        outcome.unique_states, outcome.generated_states, outcome.depth, outcome.elapsed
    )?;
    let is_good = outcome.is_good();
    for (name, verdict) in outcome.verdicts {
        match verdict {
            Verdict::Holds if outcome.is_complete => writeln!(out, "  holds       {name}")?,
            Verdict::Holds => writeln!(out, "  not broken  {name}")?,
            Verdict::Seen => writeln!(out, "  seen        {name}")?,
            Verdict::NeverSeen if !outcome.is_complete => writeln!(out, "  not seen    {name}")?,
            Verdict::NeverSeen => writeln!(out, "  NEVER SEEN  {name}")?,
            Verdict::Broken(path) => {
                writeln!(out, "  BROKEN      {name}, in {} events:", path.len().saturating_sub(1))?;
                for line in words::tell(path) {
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
