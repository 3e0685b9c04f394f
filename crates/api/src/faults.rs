//! What the harness of faults asks of a process that was built for it, by variables of its own; no
//! part of a build that serves.

use crate::cli::CommandError;

/// Does what the variables ask for, before anything else is done.
pub(crate) fn prepare() -> Result<(), CommandError> {
    #[cfg(feature = "failpoints")]
    arm()?;
    #[cfg(feature = "sabotage")]
    sabotage()?;
    Ok(())
}

/// `PAYONCE_FAILPOINT=after_claim:3`: the process kills itself when it is there for the third time.
#[cfg(feature = "failpoints")]
fn arm() -> Result<(), CommandError> {
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    let Ok(wanted) = std::env::var("PAYONCE_FAILPOINT") else {
        return Ok(());
    };
    let wrong = || CommandError::Failed(format!("PAYONCE_FAILPOINT is no point: {wanted}"));
    let (point, times) = wanted.split_once(':').ok_or_else(wrong)?;
    let times: u64 = times.parse().map_err(|_| wrong())?;
    let reached = AtomicU64::new(0);
    let act = move || {
        if reached.fetch_add(1, Ordering::Relaxed).saturating_add(1) == times {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    };
    payonce_domain::failpoints::arm(point, act).map_err(CommandError::Failed)
}

/// `PAYONCE_SABOTAGE=no-fence`: a rule of the protocol does not hold.
#[cfg(feature = "sabotage")]
fn sabotage() -> Result<(), CommandError> {
    match std::env::var("PAYONCE_SABOTAGE") {
        Ok(name) if !payonce_domain::sabotage::break_rule(&name) => {
            Err(CommandError::Failed(format!("PAYONCE_SABOTAGE is no break: {name}")))
        }
        _ => Ok(()),
    }
}
