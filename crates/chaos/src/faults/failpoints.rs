//! Every named point of the protocol ends a process, again and again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use super::Victim;
use super::processes::back;
use crate::Failure;
use crate::instance::Instance;
use crate::referee::Behaviour;

/// How long traffic may take to lead a process to a point.
const PATIENCE: Duration = Duration::from_secs(20);

/// The points, as the service names them.
pub const POINTS: [&str; 22] = [
    "after_claim",
    "before_mark",
    "after_mark",
    "before_send",
    "after_send",
    "after_response",
    "before_record_commit",
    "after_record_commit",
    "after_wake",
    "before_reply",
    "before_hand_over",
    "after_void",
    "recovery_claimed",
    "recovery_inquired",
    "recovery_resent",
    "recovery_recorded",
    "webhook_verified",
    "webhook_inserted",
    "webhook_claimed",
    "webhook_applied",
    "webhook_marked",
    "gc_batch",
];

/// Lets each point end a process so often.
pub async fn reach_all(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    // On a usual day hardly any payment is voided, handed over or sent again.
    victim.scene.referee.behave(Behaviour::nasty());
    let rounds = (0..victim.size.faults).flat_map(|_| POINTS);
    let points: Mutex<VecDeque<_>> = Mutex::new(rounds.collect());
    let working = victim.scene.instances.iter().map(|instance| {
        let own = StdRng::seed_from_u64(random.random());
        reach(victim, instance, &points, own)
    });
    let working: Vec<_> = working.collect();
    for done in futures_util::future::join_all(working).await {
        done?;
    }
    victim.scene.referee.behave(Behaviour::usual());
    let counts = POINTS.map(|point| (point, victim.scene.timeline.count(point)));
    let counts = counts.iter().map(|(point, times)| format!("{point} {times}"));
    victim.told.note(format!("ended at: {}", counts.collect::<Vec<_>>().join(", ")));
    for point in POINTS {
        if victim.scene.timeline.count(point) == 0 {
            victim.told.complain(format!("no process ever came to {point}"));
        }
    }
    Ok(())
}

async fn reach(
    victim: &Victim<'_>,
    instance: &Instance,
    points: &Mutex<VecDeque<&'static str>>,
    mut random: StdRng,
) -> Result<(), Failure> {
    let next = || points.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some(point) = next() {
        let from = victim.scene.timeline.now();
        instance.kill();
        let armed = format!("{point}:{}", random.random_range(1..4));
        instance.start_with(&[("PAYONCE_FAILPOINT", &armed)])?;
        let deadline = Instant::now() + PATIENCE;
        while instance.ended().is_none() {
            if Instant::now() > deadline {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        use std::os::unix::process::ExitStatusExt;
        match instance.ended() {
            Some(status) if status.signal() == Some(9) => {
                victim.scene.timeline.fault(point, &instance.name, from);
            }
            Some(status) => victim.told.complain(format!("at {point}: {status}")),
            None => {
                victim.told.note(format!("{point} was not reached in time once"));
                let from = victim.scene.timeline.now();
                instance.kill();
                victim.scene.timeline.fault("kill", &instance.name, from);
            }
        }
    }
    instance.kill();
    let from = victim.scene.timeline.now();
    instance.start()?;
    back(instance).await?;
    victim.scene.timeline.fault("restart", &instance.name, from);
    Ok(())
}
