//! Answers, a clock that stands still until it is set, and caches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use payonce_adapters::measurements::Measurements;
use payonce_adapters::redis::{AnswersInRedis, RedisLink, RedisOptions};
use payonce_adapters::replay_cache::{AnswersInMemory, ReplayTiers};
use payonce_adapters::system::BootClock;
use payonce_domain::idempotency::{
    Field, Fingerprint, KeySpace, RecordId, SettledAnswer, StoredAnswer,
};
use payonce_domain::ports::{CachedAnswer, Clock};
use time::OffsetDateTime;
use tokio::runtime::Handle;

/// A clock of a test, in milliseconds.
#[derive(Debug, Default)]
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn set(&self, now: Duration) {
        self.0.store(now.as_millis().try_into().expect("not that long"), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub fn record(account: &str, key: &str) -> RecordId {
    RecordId {
        account: account.parse().expect("an account"),
        space: KeySpace::Key,
        key: key.parse().expect("a key"),
    }
}

pub fn fingerprint(of: &str) -> Fingerprint {
    Fingerprint::of(&[Field::with("amount", of)])
}

/// An answer with everything that there is to an answer.
pub fn answer(record: RecordId, body: &str, live_until: Duration) -> Arc<CachedAnswer> {
    let now = OffsetDateTime::from_unix_timestamp_nanos(1_767_225_600_123_456_000).expect("a time");
    Arc::new(CachedAnswer {
        record,
        fingerprint: fingerprint("100.00"),
        answer: Arc::new(SettledAnswer {
            answer: StoredAnswer {
                status: 402,
                content_type: "application/problem+json".to_owned(),
                location: Some("/v1/payments/1".to_owned()),
                body: body.to_owned().into(),
            },
            expires_at: now + time::Duration::DAY,
            told_at: now,
            request_id: "req-1".parse().expect("an id"),
        }),
        live_until,
    })
}

pub fn memory(bytes: u64) -> (AnswersInMemory, Arc<TestClock>) {
    let clock = Arc::new(TestClock::default());
    (AnswersInMemory::new(bytes, clock.clone(), &Measurements::default()), clock)
}

/// A cache on Redis alone, which is connected.
pub async fn redis(url: &str, prefix: &str) -> ReplayTiers {
    let options = RedisOptions {
        url: url.into(),
        // Nobody goes on without Redis because the machine is busy.
        timeout: Duration::from_secs(20),
        prefix: prefix.to_owned(),
        measurements: Measurements::default(),
    };
    let link = RedisLink::open(&options, &Handle::current()).expect("a URL");
    let mut is_up = link.is_up();
    let connected = tokio::time::timeout(Duration::from_secs(20), is_up.wait_for(|is| *is));
    connected.await.expect("Redis answers in time").expect("the link is there");
    let measurements = Measurements::default();
    let redis = AnswersInRedis::new(Arc::new(link), Handle::current(), &measurements);
    ReplayTiers::new(None, Some(redis), &measurements)
}

/// So much from now, by the clock that Redis's answers live by.
pub fn from_now(life: Duration) -> Duration {
    BootClock.elapsed() + life
}

/// Waits until there is something.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = std::time::Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "never came about: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
