//! Settled answers in Redis, where every instance finds them.
//!
//! Each expires there by Redis's own clock, at a moment that is worked out before it is sent and that
//! stands in it as well: a Redis that takes its time, or is told to keep it, makes it live no longer.
//! What is found is believed only as far as it shows: its key, its life, its form.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, counter, describe_counter};
use payonce_domain::idempotency::RecordId;
use payonce_domain::ports::{CachedAnswer, Clock};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::RedisLink;
use super::answer_encoding::{Stored, decode, encode};
use super::lookups::Lookups;
use crate::measurements::Measurements;
use crate::system::BootClock;

const UNUSABLE: &str = "payonce_replay_cache_unusable_total";

/// Answers that are on their way to Redis at a time; more are left out.
const WRITES: usize = 512;

/// What two clocks make of one life may differ by so much.
const ROUNDING: Duration = Duration::from_secs(1);

/// Answers in Redis.
pub struct AnswersInRedis {
    link: Arc<RedisLink>,
    lookups: Lookups,
    runtime: Handle,
    writes: Arc<Semaphore>,
    unusable: Counter,
}

impl AnswersInRedis {
    /// Keeps answers behind that link, which it asks on the given runtime.
    pub fn new(link: Arc<RedisLink>, runtime: Handle, measurements: &Measurements) -> Self {
        let unusable = measurements.record(|| {
            describe_counter!(UNUSABLE, "What Redis had for a key and was no answer of it.");
            counter!(UNUSABLE)
        });
        let lookups = Lookups::start(Arc::clone(&link), &runtime);
        Self { link, lookups, runtime, writes: Arc::new(Semaphore::new(WRITES)), unusable }
    }

    /// An answer under that key that is still replayed; `None` also when Redis cannot say in time.
    pub async fn find(&self, record: &RecordId) -> Option<CachedAnswer> {
        let asked_at = BootClock.elapsed();
        let Some(found) = self.lookups.look(self.key(record)).await else {
            self.link.fell_back("replay_cache");
            return None;
        };
        let found = self.usable(record, &found?, asked_at);
        if found.is_none() {
            self.unusable.increment(1);
        }
        found
    }

    /// Sends an answer there, and does not wait.
    pub fn remember(&self, answer: Arc<CachedAnswer>) {
        let life = answer.live_until.saturating_sub(BootClock.elapsed());
        if life.is_zero() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else {
            return self.link.fell_back("replay_cache");
        };
        let Some(ends_at) = self.link.time_at(answer.live_until) else {
            return self.link.fell_back("replay_cache");
        };
        let (link, key) = (Arc::clone(&self.link), self.key(&answer.record));
        self.runtime.spawn(async move {
            let _permit = permit;
            let Some(value) = encode(&answer, life, ends_at) else { return };
            let question = |mut connection| async move {
                let mut set = redis::cmd("SET");
                set.arg(key).arg(value).arg("PXAT").arg(ends_at);
                set.exec_async(&mut connection).await
            };
            if link.ask(question).await.is_none() {
                link.fell_back("replay_cache");
            }
        });
    }

    fn key(&self, record: &RecordId) -> String {
        let (account, space) = (record.account.as_str(), record.space.as_str());
        self.link.key("replay", format_args!("{account}:{space}:{}", record.key.as_str()))
    }

    /// What was found, if it is that key's and lives no longer than it did when it was sent.
    fn usable(&self, record: &RecordId, value: &[u8], asked_at: Duration) -> Option<CachedAnswer> {
        let Stored { fingerprint, answer, life, ends_at_millis } = decode(value, record)?;
        let live_until = self.link.moment_of(ends_at_millis)?;
        let left = live_until.checked_sub(asked_at)?;
        (left <= life + ROUNDING).then(|| CachedAnswer {
            record: record.clone(),
            fingerprint,
            answer: Arc::new(answer),
            live_until,
        })
    }
}
