//! PostgreSQL that is killed, ends sessions, keeps locks, has no connections left and no disk.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sql_types::Integer;
use diesel::{Connection, QueryableByName, RunQueryDsl, sql_query};
use rand::RngExt;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::time::sleep;

use super::Victim;
use super::absence::stay_away;
use crate::Failure;
use crate::servers::postgres::{Postgres, send};

/// The service's own sessions.
const SESSIONS: &str = "FROM pg_stat_activity WHERE application_name = 'payonce'";

fn server<'a>(victim: &Victim<'a>) -> Result<&'a Postgres, Failure> {
    victim.scene.postgres.as_ref().ok_or_else(|| "this mode needs PostgreSQL".into())
}

/// Kills the server, stops it at once, and kills single sessions, which ends all of them; then it
/// stays away, for a minute in a run of the default size.
pub async fn crash(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    for round in 0..victim.size.faults {
        crash_once(victim, round).await?;
        sleep(Duration::from_millis(random.random_range(800..2_500))).await;
    }
    let seconds = victim.size.faults.saturating_mul(4);
    stay_away(victim, server(victim)?, Duration::from_secs(seconds)).await
}

/// One crash of one kind, and the way back.
pub async fn crash_once(victim: &Victim<'_>, round: u64) -> Result<(), Failure> {
    let postgres = server(victim)?;
    let timeline = &victim.scene.timeline;
    let from = timeline.now();
    let what = match round % 3 {
        0 => {
            postgres.end(Signal::KILL).await?;
            postgres.launch().await?;
            "kill PostgreSQL"
        }
        1 => {
            postgres.end(Signal::QUIT).await?;
            postgres.launch().await?;
            "stop PostgreSQL at once"
        }
        _ => {
            if let Some(session) = session(postgres.url()).await? {
                drop(send(session, Signal::KILL));
            }
            "kill a session's process"
        }
    };
    timeline.fault(what, "PostgreSQL", from);
    Ok(())
}

/// Ends sessions and statements, one every few milliseconds.
pub async fn end_sessions(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    for _ in 0..victim.size.faults {
        let (what, function) = match random.random_range(0..2) {
            0 => ("end a session", "pg_terminate_backend"),
            _ => ("cancel a statement", "pg_cancel_backend"),
        };
        end_one(victim, what, function).await?;
        sleep(Duration::from_millis(random.random_range(20..80))).await;
    }
    Ok(())
}

/// Ends one session, or its statement.
pub async fn end_one(victim: &Victim<'_>, what: &str, function: &str) -> Result<(), Failure> {
    let from = victim.scene.timeline.now();
    let end = format!(
        "SELECT {function}(pid) FROM (SELECT pid {SESSIONS} ORDER BY state = 'active' DESC, \
         random() LIMIT 1) AS one"
    );
    victim.scene.tables.execute(&end).await?;
    victim.scene.timeline.fault(what, "PostgreSQL", from);
    Ok(())
}

/// Holds tables, and rows, for up to seconds.
pub async fn hold_locks(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    for round in 0..victim.size.faults {
        hold_once(victim, round, random).await?;
        sleep(Duration::from_millis(random.random_range(200..1_500))).await;
    }
    Ok(())
}

/// Holds one table, or rows, once.
pub async fn hold_once(
    victim: &Victim<'_>,
    round: u64,
    random: &mut StdRng,
) -> Result<(), Failure> {
    let from = victim.scene.timeline.now();
    let (what, hold) = match round % 5 {
        0 => ("hold the keys", "LOCK TABLE idempotency_records IN ACCESS EXCLUSIVE MODE"),
        1 => ("hold the payments", "LOCK TABLE payments IN ACCESS EXCLUSIVE MODE"),
        2 => ("hold the ends", "LOCK TABLE payment_outcomes IN ACCESS EXCLUSIVE MODE"),
        3 => ("hold the transactions", "LOCK TABLE transactions IN ACCESS EXCLUSIVE MODE"),
        _ => (
            "hold unsettled keys",
            "SELECT 1 FROM idempotency_records WHERE due_at IS NOT NULL FOR UPDATE",
        ),
    };
    let tenths = random.random_range(3..40);
    let held = format!("BEGIN; {hold}; SELECT pg_sleep({tenths} / 10.0); COMMIT");
    victim.scene.tables.execute(&held).await?;
    victim.scene.timeline.fault(what, "PostgreSQL", from);
    Ok(())
}

/// Takes every connection, those of the service too, for three seconds.
pub async fn take_connections(victim: &Victim<'_>) -> Result<(), Failure> {
    let url = server(victim)?.url();
    for _ in 0..victim.size.faults {
        let from = victim.scene.timeline.now();
        let place = url.clone();
        let (taken, held) = tokio::task::spawn_blocking(move || -> Result<_, Failure> {
            let mut first = PgConnection::establish(&place)?;
            let mut held = Vec::new();
            let deadline = Instant::now() + Duration::from_secs(3);
            while Instant::now() < deadline && held.len() < 39 {
                first.batch_execute(&format!("SELECT pg_terminate_backend(pid) {SESSIONS}"))?;
                while let Ok(conn) = PgConnection::establish(&place) {
                    held.push(conn);
                }
            }
            Ok((held.len(), (first, held)))
        })
        .await??;
        let began = Instant::now();
        let mut is_alive = true;
        while began.elapsed() < Duration::from_secs(3) {
            for instance in &victim.scene.instances {
                is_alive &= instance.asked("/healthz").await;
            }
            sleep(Duration::from_millis(200)).await;
        }
        drop(held);
        if !is_alive {
            victim.told.complain("/healthz did not answer while there were no connections");
        }
        victim.scene.timeline.fault("take all connections", "PostgreSQL", from);
        victim.told.note(format!("{taken} connections taken"));
        sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}

/// Fills the disk of its data and its log, and makes room again.
pub async fn fill_disk(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    let postgres = server(victim)?;
    let disk = victim.scene.disk.as_ref().ok_or("this mode needs a small disk")?;
    let mut died = 0_u64;
    for _ in 0..victim.size.faults {
        let from = victim.scene.timeline.now();
        disk.fill(random.random_range(0..3) * 512 * 1024)?;
        sleep(Duration::from_secs(4)).await;
        let is_dead = !postgres.is_running();
        disk.free()?;
        if is_dead {
            died = died.saturating_add(1);
            postgres.end(Signal::QUIT).await?;
            postgres.launch().await?;
        }
        victim.scene.timeline.fault("fill the disk", "PostgreSQL", from);
        sleep(Duration::from_millis(random.random_range(1_500..3_000))).await;
        if !postgres.is_running() {
            let from = victim.scene.timeline.now();
            died = died.saturating_add(1);
            postgres.end(Signal::QUIT).await?;
            postgres.launch().await?;
            victim.scene.timeline.fault("start PostgreSQL again", "PostgreSQL", from);
        }
    }
    victim.told.note(format!("PostgreSQL gave up {died} times for want of room"));
    Ok(())
}

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

/// The process of one of the service's sessions.
async fn session(url: String) -> Result<Option<u32>, Failure> {
    tokio::task::spawn_blocking(move || {
        let mut conn = PgConnection::establish(&url)?;
        let one = format!("SELECT pid {SESSIONS} ORDER BY random() LIMIT 1");
        let sessions: Vec<Session> = sql_query(one).load(&mut conn)?;
        Ok(sessions.first().and_then(|session| session.pid.try_into().ok()))
    })
    .await?
}
