//! Limiters under test.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use payonce_adapters::local_rate_limiter::LocalRateLimiter;
use payonce_adapters::measurements::Measurements;
use payonce_adapters::redis::{RedisLink, RedisOptions, RedisRateLimiter};
use payonce_domain::ports::{RateDecision, RateLimiter, RateQuota, RateSubject};
use payonce_testing::RedisCorner;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Makes limiters of one kind.
#[async_trait]
pub trait Maker {
    async fn limiter(&self, quota: RateQuota) -> Arc<dyn RateLimiter>;
}

/// Limiters of one process.
pub struct Local;

#[async_trait]
impl Maker for Local {
    async fn limiter(&self, quota: RateQuota) -> Arc<dyn RateLimiter> {
        Arc::new(LocalRateLimiter::new(quota))
    }
}

/// Limiters that share their buckets.
#[derive(Default)]
pub struct OnRedis {
    pub corner: RedisCorner,
}

#[async_trait]
impl Maker for OnRedis {
    async fn limiter(&self, quota: RateQuota) -> Arc<dyn RateLimiter> {
        // Nobody goes on without Redis because the machine is busy.
        let timeout = Duration::from_secs(20);
        limiter_on(&self.corner.url, &self.corner.prefix, timeout, quota).await.0
    }
}

/// A limiter that is connected, and whether it still is.
pub async fn limiter_on(
    url: &str,
    prefix: &str,
    timeout: Duration,
    quota: RateQuota,
) -> (Arc<dyn RateLimiter>, watch::Receiver<bool>) {
    let options = RedisOptions {
        url: url.into(),
        timeout,
        prefix: prefix.to_owned(),
        measurements: Measurements::default(),
    };
    let link = RedisLink::open(&options, &Handle::current()).expect("a URL");
    let mut is_up = link.is_up();
    until_up(&mut is_up).await;
    (Arc::new(RedisRateLimiter::new(Arc::new(link), quota)), is_up)
}

/// Waits until Redis answers.
pub async fn until_up(is_up: &mut watch::Receiver<bool>) {
    let connected = tokio::time::timeout(Duration::from_secs(20), is_up.wait_for(|is| *is));
    connected.await.expect("Redis answers in time").expect("the link is there");
}

impl OnRedis {
    /// It was Redis that decided, and it forgets in time.
    pub fn was_asked(&self) {
        let times = self.corner.contents().times_to_live();
        assert!(!times.is_empty(), "no bucket is kept in Redis");
        // The longest that a bucket of these tests takes to be full.
        assert!(times.iter().all(|time| (1..=1_000_000).contains(time)), "{times:?}");
    }
}

pub fn quota(per_second: u32, burst: u32) -> RateQuota {
    let number = |number| NonZeroU32::new(number).expect("not zero");
    RateQuota { per_second: number(per_second), burst: number(burst) }
}

pub fn account(name: &str) -> RateSubject {
    RateSubject::Account(name.parse().expect("an account's name"))
}

pub async fn is_allowed(limiter: &dyn RateLimiter, subject: &RateSubject) -> bool {
    matches!(limiter.check(subject).await, RateDecision::Allowed { .. })
}

/// Asks so many times at each limiter, all at once; says how many were let in, and how many can
/// have been: the burst and what came back meanwhile.
pub async fn crowd(limiters: &[Arc<dyn RateLimiter>], each: u32) -> (u32, u32) {
    let quota = limiters.first().expect("a limiter").quota();
    let began = Instant::now();
    let asking: Vec<_> = limiters
        .iter()
        .flat_map(|limiter| (0..each).map(move |_| Arc::clone(limiter)))
        .map(|limiter| tokio::spawn(async move { is_allowed(&*limiter, &account("crowd")).await }))
        .collect();
    let mut allowed = 0;
    for asked in asking {
        allowed += u32::from(asked.await.expect("it is decided"));
    }
    let seconds = u32::try_from(began.elapsed().as_secs()).expect("not that long") + 1;
    (allowed, quota.burst.get() + seconds * quota.per_second.get())
}

/// Waits until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(20), "never came about: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
