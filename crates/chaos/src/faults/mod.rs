//! What is done to the service: one function for each mode. Each notes in the timeline what it
//! does and when, waits until it has been done often enough, and leaves everything running.

mod absence;
mod clock;
mod crowds;
mod database;
mod failpoints;
mod lines;
mod mixed;
mod processes;
mod size;

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;

use crate::Failure;
use crate::checker::{Findings, Rule};
use crate::clients::Shared;
use crate::options::Mode;
use crate::scene::Scene;

pub use clock::obstacle as clock_obstacle;
pub use size::Size;

/// What a mode has to tell beside the timeline.
#[derive(Debug, Default)]
pub struct Told {
    notes: Mutex<Vec<String>>,
    complaints: Mutex<Vec<String>>,
}

impl Told {
    /// Something worth knowing.
    pub fn note(&self, what: impl Into<String>) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    /// Something that must not be.
    pub fn complain(&self, what: impl Into<String>) {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    /// The notes; the complaints are findings.
    pub fn end(self, findings: &mut Findings) -> Vec<String> {
        for complaint in self.complaints.into_inner().unwrap_or_else(PoisonError::into_inner) {
            findings.add(Rule::StrangeAnswers, complaint);
        }
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What faults are injected into, and by what chance.
pub struct Victim<'a> {
    /// The world.
    pub scene: &'a Scene,
    /// Its clients.
    pub shared: &'a Shared,
    /// What is told of it.
    pub told: &'a Told,
    /// How many.
    pub size: Size,
}

/// Injects the faults of a mode.
pub async fn inject(mode: Mode, victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    match mode {
        Mode::Kill => processes::kill(victim, random).await,
        Mode::Pause => processes::pause(victim, random).await,
        Mode::Sqlite => processes::kill_and_pause(victim, random).await,
        Mode::Term => processes::terminate(victim, random).await,
        Mode::Failpoints => failpoints::reach_all(victim, random).await,
        Mode::Pgcrash => database::crash(victim, random).await,
        Mode::Pgkill => database::end_sessions(victim, random).await,
        Mode::Locks => database::hold_locks(victim, random).await,
        Mode::Connections => database::take_connections(victim).await,
        Mode::Disk => database::fill_disk(victim, random).await,
        Mode::Redis => lines::redis(victim, random).await,
        Mode::Gateway => lines::gateway(victim, random).await,
        Mode::Cut => lines::cut(victim, random).await,
        Mode::Clock => clock::jump(victim, random).await,
        Mode::Herd => crowds::herd(victim, random).await,
        Mode::Hostile => crowds::hostile(victim, random).await,
        Mode::Mixed => mixed::all(victim, random).await,
    }
}

/// Further settings of every instance.
pub fn settings(mode: Mode) -> Vec<(String, String)> {
    let settings: &[(&str, &str)] = match mode {
        // A short memory, and an operator who is asked soon: what is past the window is his.
        Mode::Gateway => {
            &[("PAYONCE__GATEWAY__DEDUPE_WINDOW", "6s"), ("PAYONCE__WORKERS__REVIEW_AFTER", "12s")]
        }
        // Nothing is ever limited, and every request asks.
        Mode::Redis => &[
            ("PAYONCE__RATE_LIMIT__ENABLED", "true"),
            ("PAYONCE__RATE_LIMIT__PER_SECOND", "1000000"),
            ("PAYONCE__RATE_LIMIT__BURST", "2000000"),
        ],
        Mode::Clock => return clock::settings(),
        _ => &[],
    };
    settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}
