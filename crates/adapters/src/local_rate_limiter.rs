//! The rate limit of one process: its buckets are its own and gone when it ends.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::{Clock, DefaultClock, Reference};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter as Governor};
use payonce_domain::ports::{RateDecision, RateLimiter, RateQuota, RateSubject};

/// Between two looks for buckets that are full again, and so need not be kept.
const SWEEP: Duration = Duration::from_secs(5);

type Buckets<C> =
    Governor<RateSubject, DefaultKeyedStateStore<RateSubject>, C, StateInformationMiddleware>;

/// Buckets in memory.
pub struct LocalRateLimiter<C: Clock = DefaultClock> {
    buckets: Buckets<C>,
    clock: C,
    quota: RateQuota,
    swept: Mutex<C::Instant>,
}

impl LocalRateLimiter {
    /// Makes a limiter whose buckets are full.
    pub fn new(quota: RateQuota) -> Self {
        Self::with_clock(quota, DefaultClock::default())
    }
}

impl<C: Clock + Clone> LocalRateLimiter<C> {
    fn with_clock(quota: RateQuota, clock: C) -> Self {
        let rate = Quota::per_second(quota.per_second).allow_burst(quota.burst);
        let buckets = Governor::new(rate, DefaultKeyedStateStore::default(), clock.clone());
        let swept = Mutex::new(clock.now());
        Self { buckets, clock, quota, swept }
    }

    /// Takes a token, if there is one.
    pub fn take(&self, subject: &RateSubject) -> RateDecision {
        let now = self.clock.now();
        self.sweep_when_due(now);
        match self.buckets.check_key(subject) {
            Ok(bucket) => RateDecision::Allowed { remaining: bucket.remaining_burst_capacity() },
            Err(not_until) => RateDecision::Refused { retry_after: not_until.wait_time_from(now) },
        }
    }

    /// Forgets full buckets, so that memory holds only who asked of late. One caller does it, the
    /// others go on.
    fn sweep_when_due(&self, now: C::Instant) {
        let Ok(mut swept) = self.swept.try_lock() else {
            return;
        };
        if Duration::from(now.duration_since(*swept)) >= SWEEP {
            *swept = now;
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
    }
}

#[async_trait]
impl<C> RateLimiter for LocalRateLimiter<C>
where
    C: Clock + Clone + Send + Sync,
    C::Instant: Send,
{
    fn quota(&self) -> RateQuota {
        self.quota
    }

    async fn check(&self, subject: &RateSubject) -> RateDecision {
        self.take(subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::net::Ipv4Addr;
    use std::num::NonZeroU32;

    fn limiter(
        per_second: u32,
        burst: u32,
    ) -> (LocalRateLimiter<FakeRelativeClock>, FakeRelativeClock) {
        let number = |number| NonZeroU32::new(number).expect("not zero");
        let quota = RateQuota { per_second: number(per_second), burst: number(burst) };
        let clock = FakeRelativeClock::default();
        (LocalRateLimiter::with_clock(quota, clock.clone()), clock)
    }

    fn client(number: u32) -> RateSubject {
        RateSubject::of_address(Ipv4Addr::from(number).into())
    }

    #[test]
    fn a_refused_request_is_told_when_the_next_token_comes_and_finds_it_then() {
        let (limiter, clock) = limiter(10, 2);
        assert_eq!(limiter.take(&client(1)), RateDecision::Allowed { remaining: 1 });
        assert_eq!(limiter.take(&client(1)), RateDecision::Allowed { remaining: 0 });
        let retry_after = Duration::from_millis(100);
        assert_eq!(limiter.take(&client(1)), RateDecision::Refused { retry_after });
        clock.advance(retry_after - Duration::from_nanos(1));
        let moment = Duration::from_nanos(1);
        assert_eq!(limiter.take(&client(1)), RateDecision::Refused { retry_after: moment });
        clock.advance(moment);
        assert_eq!(limiter.take(&client(1)), RateDecision::Allowed { remaining: 0 });
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten_and_others_are_not() {
        let (limiter, clock) = limiter(1, 100);
        for _ in 0..10 {
            limiter.take(&client(0));
        }
        for number in 1..1_000 {
            limiter.take(&client(number));
        }
        assert_eq!(limiter.buckets.len(), 1_000);
        clock.advance(SWEEP);
        assert_eq!(limiter.take(&client(0)), RateDecision::Allowed { remaining: 94 });
        assert_eq!(limiter.buckets.len(), 1);
    }
}
