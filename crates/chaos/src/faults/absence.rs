//! PostgreSQL that is away for a minute under load: how it is refused meanwhile, what is kept of it,
//! and how fast the way back is.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;

use super::Victim;
use crate::Failure;
use crate::instance::Holdings;
use crate::servers::postgres::Postgres;

/// No refusal may take longer.
const SLOWEST_REFUSAL: Duration = Duration::from_secs(1);
/// How soon after the return everything is as fast as before.
const RECOVERY: Duration = Duration::from_secs(2);
/// How long speed is measured for.
const MEASURE: Duration = Duration::from_secs(4);
/// Of two measurements on a busy machine one may be so much slower, in percent.
const AS_FAST: u64 = 70;

/// Stops the server for so long.
pub async fn stay_away(
    victim: &Victim<'_>,
    postgres: &Postgres,
    time: Duration,
) -> Result<(), Failure> {
    let timeline = &victim.scene.timeline;
    let before = speed(victim).await;
    let held_before = holdings(victim)?;
    let from = timeline.now();
    postgres.end(Signal::INT).await?;
    let refusals = Refusals::collect(victim, time).await;
    let held_meanwhile = holdings(victim)?;
    postgres.launch().await?;
    let (back, finals_before) = (Instant::now(), finals(victim));
    while finals(victim) == finals_before && back.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(20)).await;
    }
    let first = back.elapsed();
    sleep(RECOVERY.saturating_sub(first)).await;
    let after = speed(victim).await;
    let held_after = holdings(victim)?;
    timeline.fault("stop PostgreSQL for long", "PostgreSQL", from);
    victim.told.note(format!(
        "PostgreSQL away for {time:?}: answers by status {:?} (0: none, 1: without Retry-After), \
         the slowest after {} ms; the first payment {} ms after its return; {before} final answers \
         in {MEASURE:?} before, {after} from {RECOVERY:?} after its return on; threads and sockets \
         of all instances {held_before} before, {held_meanwhile} meanwhile, {held_after} after",
        refusals.statuses,
        refusals.slowest.as_millis(),
        first.as_millis(),
    ));
    if refusals.slowest > SLOWEST_REFUSAL || refusals.statuses.keys().any(|&status| status != 503) {
        victim.told.complain("not every request was refused at once while PostgreSQL was away");
    }
    if after.saturating_mul(100) < before.saturating_mul(AS_FAST) {
        victim.told.complain("it was not as fast as before once PostgreSQL was back");
    }
    if held_after.exceed(&held_before) {
        victim.told.complain("threads or sockets were left over once PostgreSQL was back");
    }
    Ok(())
}

/// What requests were told.
struct Refusals {
    statuses: BTreeMap<u16, u64>,
    slowest: Duration,
}

impl Refusals {
    /// Asks each instance again and again, for so long.
    async fn collect(victim: &Victim<'_>, time: Duration) -> Self {
        let mut all = Self { statuses: BTreeMap::new(), slowest: Duration::ZERO };
        let began = Instant::now();
        let mut probes = 0_u64;
        while began.elapsed() < time {
            for instance in &victim.scene.instances {
                probes = probes.saturating_add(1);
                let key = format!("{}-away-{probes}", victim.shared.terms.key_prefix);
                let asked = Instant::now();
                let sent = victim
                    .shared
                    .client
                    .post(format!("{}/v1/payments", instance.base))
                    .header("Idempotency-Key", key)
                    .header("Content-Type", "application/json")
                    .body(r#"{"amount":1}"#)
                    .timeout(Duration::from_secs(8))
                    .send()
                    .await;
                let status = sent.map_or(0, |answer| {
                    let again = answer.headers().contains_key("retry-after");
                    if again { answer.status().as_u16() } else { 1 }
                });
                let times = all.statuses.entry(status).or_default();
                *times = times.saturating_add(1);
                all.slowest = all.slowest.max(asked.elapsed());
            }
            sleep(Duration::from_millis(100)).await;
        }
        all
    }
}

fn holdings(victim: &Victim<'_>) -> Result<Holdings, Failure> {
    victim
        .scene
        .instances
        .iter()
        .try_fold(Holdings::default(), |sum, instance| Ok(sum.and(instance.holdings()?)))
}

/// Final answers within the time of one measurement.
async fn speed(victim: &Victim<'_>) -> u64 {
    let before = finals(victim);
    sleep(MEASURE).await;
    finals(victim).saturating_sub(before)
}

fn finals(victim: &Victim<'_>) -> u64 {
    victim.shared.finals.load(Ordering::Relaxed)
}
