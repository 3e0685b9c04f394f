//! Processes that are killed, stand still, and are asked to stop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use tokio::time::sleep;

use super::Victim;
use crate::Failure;
use crate::instance::Instance;
use crate::scene::LEASE;

/// Longer than the drain may take.
const DRAIN: Duration = Duration::from_secs(8);

/// Kills instances, one after the other, every twentieth time two at once.
pub async fn kill(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    let mut killed = 0;
    while killed < victim.size.faults {
        let count = if random.random_range(0..20) == 0 { 2 } else { 1 };
        killed += kill_some(victim, count, random).await?;
        if killed.is_multiple_of(100) {
            // A quiet while.
            sleep(Duration::from_millis(1_500)).await;
        }
        sleep(Duration::from_millis(random.random_range(20..120))).await;
    }
    Ok(())
}

/// Kills so many at once and starts them again; how many it killed.
pub async fn kill_some(
    victim: &Victim<'_>,
    count: usize,
    random: &mut StdRng,
) -> Result<u64, Failure> {
    let scene = victim.scene;
    let from = scene.timeline.now();
    let first = random.random_range(0..scene.instances.len().max(1));
    let chosen: Vec<_> = scene.instances.iter().cycle().skip(first).take(count).collect();
    for instance in &chosen {
        instance.kill();
    }
    for instance in &chosen {
        instance.start()?;
    }
    for instance in &chosen {
        back(instance).await?;
        scene.timeline.fault("kill", &instance.name, from);
    }
    Ok(u64::try_from(chosen.len())?)
}

/// Waits until an instance that was started is ready, and starts it again where its database was
/// gone.
pub async fn back(instance: &Instance) -> Result<(), Failure> {
    for _ in 0..3 {
        if instance.is_ready_in_time().await {
            return Ok(());
        }
        instance.kill();
        instance.start()?;
    }
    Err(format!("{} does not come back: see {}", instance.name, instance.log.display()).into())
}

/// Lets every instance stand still for longer than the lease, again and again, each by itself, so
/// that several stand still at once.
pub async fn pause(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    let paused = AtomicU64::new(0);
    let pausing = victim.scene.instances.iter().map(|instance| {
        let own = StdRng::seed_from_u64(random.random());
        pause_one(victim, instance, &paused, own)
    });
    let pausing: Vec<_> = pausing.collect();
    for done in futures_util::future::join_all(pausing).await {
        done?;
    }
    let mut fenced = 0;
    for instance in &victim.scene.instances {
        fenced += sum(&instance.metrics().await?, "payonce_fenced_writes_total");
    }
    victim.told.note(format!("{fenced} writes of former owners were fenced off"));
    Ok(())
}

async fn pause_one(
    victim: &Victim<'_>,
    instance: &Instance,
    paused: &AtomicU64,
    mut random: StdRng,
) -> Result<(), Failure> {
    while paused.fetch_add(1, Ordering::Relaxed) < victim.size.faults {
        stand_still(victim, instance, &mut random).await?;
        let quiet = if random.random_range(0..8) == 0 { 1_500 } else { 500 };
        sleep(Duration::from_millis(random.random_range(50..quiet))).await;
    }
    Ok(())
}

/// One pause, longer than the lease.
pub async fn stand_still(
    victim: &Victim<'_>,
    instance: &Instance,
    random: &mut StdRng,
) -> Result<(), Failure> {
    let from = victim.scene.timeline.now();
    instance.signal(Signal::STOP)?;
    sleep(LEASE.saturating_mul(random.random_range(11..28)) / 10).await;
    instance.signal(Signal::CONT)?;
    victim.scene.timeline.fault("pause", &instance.name, from);
    Ok(())
}

/// Kills and pauses in turns.
pub async fn kill_and_pause(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    let mut done = 0;
    while done < victim.size.faults {
        if done % 5 == 4 {
            let chosen = random.random_range(0..victim.scene.instances.len().max(1));
            if let Some(instance) = victim.scene.instances.get(chosen) {
                stand_still(victim, instance, random).await?;
            }
        }
        done += kill_some(victim, 1, random).await?;
        sleep(Duration::from_millis(random.random_range(20..200))).await;
    }
    Ok(())
}

/// Asks one instance after the other to stop, as a deployment does.
pub async fn terminate(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    let scene = victim.scene;
    let mut longest = Duration::ZERO;
    for round in 0..victim.size.faults {
        let chosen = usize::try_from(round)? % scene.instances.len().max(1);
        let Some(instance) = scene.instances.get(chosen) else { continue };
        let (from, began) = (scene.timeline.now(), std::time::Instant::now());
        match instance.terminate(DRAIN).await? {
            Some(0) => longest = longest.max(began.elapsed()),
            Some(code) => victim.told.complain(format!("{} left with {code}", instance.name)),
            None => victim.told.complain(format!("{} did not stop in time", instance.name)),
        }
        instance.start()?;
        back(instance).await?;
        scene.timeline.fault("stop", &instance.name, from);
        sleep(Duration::from_millis(random.random_range(100..600))).await;
    }
    victim.told.note(format!("the longest drain took {} ms", longest.as_millis()));
    Ok(())
}

/// The sum of a counter, over all its labels.
pub fn sum(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter(|line| !line.starts_with('#') && line.starts_with(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}
