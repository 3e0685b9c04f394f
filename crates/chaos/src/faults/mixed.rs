//! Several kinds of faults, drawn by chance: two hands at once, each in turns, with quiet between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use super::{Victim, database, lines, processes};
use crate::Failure;

/// One hand is at the processes, the other at what they need.
pub async fn all(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    let done = AtomicU64::new(0);
    let (mut left, mut right) =
        (StdRng::seed_from_u64(random.random()), StdRng::seed_from_u64(random.random()));
    let (first, second) =
        tokio::join!(at_processes(victim, &done, &mut left), at_needs(victim, &done, &mut right));
    first.and(second)
}

async fn at_processes(
    victim: &Victim<'_>,
    done: &AtomicU64,
    random: &mut StdRng,
) -> Result<(), Failure> {
    while done.fetch_add(1, Ordering::Relaxed) < victim.size.faults {
        match random.random_range(0..4) {
            0 => sleep(Duration::from_secs(1)).await,
            1 => {
                let chosen = random.random_range(0..victim.scene.instances.len().max(1));
                if let Some(instance) = victim.scene.instances.get(chosen) {
                    processes::stand_still(victim, instance, random).await?;
                }
            }
            _ => {
                processes::kill_some(victim, 1, random).await?;
            }
        }
        sleep(Duration::from_millis(random.random_range(50..400))).await;
    }
    Ok(())
}

async fn at_needs(
    victim: &Victim<'_>,
    done: &AtomicU64,
    random: &mut StdRng,
) -> Result<(), Failure> {
    while done.fetch_add(1, Ordering::Relaxed) < victim.size.faults {
        let round = random.random_range(0..12);
        match round % 6 {
            0 => sleep(Duration::from_secs(1)).await,
            1 => database::crash_once(victim, round).await?,
            2 => lines::away(victim, Duration::from_secs(1)).await?,
            3 => database::hold_once(victim, random.random(), random).await?,
            _ => lines::cut_once(victim, round, random).await?,
        }
        sleep(Duration::from_millis(random.random_range(100..900))).await;
    }
    Ok(())
}
