//! Says who may ask now.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use crate::account::AccountId;

/// Whose requests share one bucket of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RateSubject {
    /// An account, whatever its credentials and addresses.
    Account(AccountId),
    /// A network address; see [`RateSubject::of_address`].
    Address(IpAddr),
}

impl RateSubject {
    /// The address of a client that did not say who it is. An IPv6 subscriber holds a whole /64,
    /// so that it stands for all of it.
    pub fn of_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// How much one subject may ask for: a bucket of tokens that is full at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateQuota {
    /// Tokens that come back in a second.
    pub per_second: NonZeroU32,
    /// Tokens that the bucket holds.
    pub burst: NonZeroU32,
}

impl RateQuota {
    /// How long so many tokens take to come back.
    pub fn time_for(&self, tokens: u32) -> Duration {
        let nanos = u64::from(tokens).saturating_mul(1_000_000_000);
        Duration::from_nanos(nanos.div_ceil(u64::from(self.per_second.get())))
    }
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    /// It took a token.
    Allowed {
        /// Tokens that are left.
        remaining: u32,
    },
    /// There was no token to take.
    Refused {
        /// When there will be one.
        retry_after: Duration,
    },
}

/// Keeps the buckets. It always decides: there is no error that could shut everybody out, or let
/// everybody in.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// What each subject may ask for.
    fn quota(&self) -> RateQuota;

    /// Takes a token out of the subject's bucket, if there is one.
    async fn check(&self, subject: &RateSubject) -> RateDecision;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(address: &str) -> RateSubject {
        RateSubject::of_address(address.parse().expect("an address"))
    }

    #[test]
    fn an_ipv6_network_is_one_subject_and_each_ipv4_address_is_its_own() {
        assert_eq!(subject("2001:db8:1:2::1"), subject("2001:db8:1:2:ffff::9"));
        assert_ne!(subject("2001:db8:1:2::1"), subject("2001:db8:1:3::1"));
        assert_ne!(subject("192.0.2.1"), subject("192.0.2.2"));
        assert_eq!(subject("::ffff:192.0.2.1"), subject("192.0.2.1"));
    }

    #[test]
    fn tokens_come_back_at_the_rate_and_never_sooner() {
        let number = |number| NonZeroU32::new(number).expect("not zero");
        let quota = RateQuota { per_second: number(3), burst: number(9) };
        assert_eq!(quota.time_for(0), Duration::ZERO);
        assert_eq!(quota.time_for(3), Duration::from_secs(1));
        assert_eq!(quota.time_for(1), Duration::from_nanos(333_333_334));
    }
}
