//! The rate limit of all instances together: buckets in Redis, each taken from by one script.
//!
//! While Redis cannot say, the process's own buckets do. They are full when that begins, so that
//! an outage of Redis lets through at most one more burst for each instance.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payonce_domain::ports::{RateDecision, RateLimiter, RateQuota, RateSubject};
use redis::Script;

use super::RedisLink;
use crate::local_rate_limiter::LocalRateLimiter;

/// Buckets in Redis, and others to go on with.
pub struct RedisRateLimiter {
    link: Arc<RedisLink>,
    script: Arc<Script>,
    own: LocalRateLimiter,
    quota: RateQuota,
}

/// Whether there was a token, how many are left, and microseconds until there is one.
type Taken = (bool, u32, u64);

impl RedisRateLimiter {
    /// Makes a limiter that shares its buckets with every other on the same Redis and prefix.
    pub fn new(link: Arc<RedisLink>, quota: RateQuota) -> Self {
        let script = Arc::new(Script::new(include_str!("token_bucket.lua")));
        Self { link, script, own: LocalRateLimiter::new(quota), quota }
    }

    /// Where a subject's bucket is.
    fn key(&self, subject: &RateSubject) -> String {
        match subject {
            RateSubject::Account(account) => self.link.key("rate:account", account.as_str()),
            RateSubject::Address(address) => self.link.key("rate:address", address),
        }
    }

    async fn take(&self, subject: &RateSubject) -> Option<Taken> {
        let (script, key) = (Arc::clone(&self.script), self.key(subject));
        let RateQuota { per_second, burst } = self.quota;
        let question = |mut connection| async move {
            script.key(key).arg(per_second).arg(burst).invoke_async(&mut connection).await
        };
        self.link.ask(question).await
    }
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    fn quota(&self) -> RateQuota {
        self.quota
    }

    async fn check(&self, subject: &RateSubject) -> RateDecision {
        match self.take(subject).await {
            Some((true, remaining, _)) => RateDecision::Allowed { remaining },
            Some((false, _, micros)) => {
                RateDecision::Refused { retry_after: Duration::from_micros(micros) }
            }
            None => {
                self.link.fell_back("rate_limit");
                self.own.take(subject)
            }
        }
    }
}
