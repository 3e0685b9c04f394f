//! What the service talks to goes away, stands still, or misbehaves: Redis, the gateway, and the
//! line to PostgreSQL.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::time::sleep;

use super::Victim;
use crate::Failure;
use crate::referee::Behaviour;
use crate::scene::REQUEST_TIMEOUT;
use crate::servers::proxy::Line;

/// On a busy machine an answer that is due may come so much later.
const MARGIN: Duration = Duration::from_millis(500);

/// Redis is killed, stands still, is flushed, and filled with garbage.
pub async fn redis(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    let redis = victim.scene.redis.as_ref().ok_or("this mode needs Redis")?;
    for round in 0..victim.size.faults {
        let from = victim.scene.timeline.now();
        let pause = Duration::from_millis(random.random_range(300..1_500));
        let what = match round % 3 {
            0 => {
                redis.kill();
                sleep(pause).await;
                redis.launch().await?;
                "kill Redis"
            }
            1 => {
                redis.signal(Signal::STOP)?;
                sleep(pause).await;
                redis.signal(Signal::CONT)?;
                "pause Redis"
            }
            _ => {
                redis.say("FLUSHALL").await?;
                "flush Redis"
            }
        };
        victim.scene.timeline.fault(what, "Redis", from);
        sleep(Duration::from_millis(random.random_range(200..1_000))).await;
    }
    Ok(())
}

/// The gateway plays every trick, is good for a while, and goes away altogether.
pub async fn gateway(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    let (referee, timeline) = (&victim.scene.referee, &victim.scene.timeline);
    for round in 0..victim.size.faults {
        let from = timeline.now();
        referee.behave(Behaviour::nasty());
        sleep(Duration::from_millis(random.random_range(4_000..6_000))).await;
        timeline.fault("misbehave", "gateway", from);
        if round % 2 == 0 {
            away(victim, Duration::from_millis(random.random_range(1_000..4_000))).await?;
        }
        referee.behave(Behaviour::usual());
        sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}

/// Nobody can connect to the gateway for so long.
pub async fn away(victim: &Victim<'_>, time: Duration) -> Result<(), Failure> {
    let from = victim.scene.timeline.now();
    victim.scene.referee.go_away();
    sleep(time).await;
    victim.scene.referee.come_back().await?;
    victim.scene.timeline.fault("go away", "gateway", from);
    Ok(())
}

/// The line to PostgreSQL is reset, or freezes for a while: nobody waits longer than a request may.
pub async fn cut(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    for round in 0..victim.size.faults {
        cut_once(victim, round, random).await?;
        sleep(Duration::from_millis(random.random_range(300..1_500))).await;
    }
    let slowest = victim.scene.timeline.slowest();
    victim.told.note(format!("the slowest answer took {} ms", slowest.as_millis()));
    if slowest > REQUEST_TIMEOUT + MARGIN {
        victim.told.complain("a request took longer than server.request_timeout");
    }
    let timeouts = victim.scene.timeline.noted_so_far().failures;
    let timeouts = timeouts.iter().filter(|(_, what)| what.contains("timeout")).count();
    if timeouts > 0 {
        victim.told.complain(format!("{timeouts} requests were not answered in time at all"));
    }
    Ok(())
}

/// One reset or one freeze; every eighth is longer than a request may take.
pub async fn cut_once(victim: &Victim<'_>, round: u64, random: &mut StdRng) -> Result<(), Failure> {
    let proxy = victim.scene.proxy.as_ref().ok_or("this mode needs a proxy")?;
    let from = victim.scene.timeline.now();
    let what = if round.is_multiple_of(2) {
        proxy.cut();
        "reset connections"
    } else {
        let longest = if round % 8 == 7 { 7_000 } else { 2_500 };
        proxy.set(Line::Frozen);
        sleep(Duration::from_millis(random.random_range(longest / 3..longest))).await;
        if round % 4 == 3 {
            proxy.cut();
        }
        proxy.set(Line::Open);
        "freeze connections"
    };
    victim.scene.timeline.fault(what, "line to PostgreSQL", from);
    Ok(())
}
