//! Keeps settled answers near at hand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::idempotency::{Fingerprint, RecordId, SettledAnswer};

/// Two clocks never run alike: so small a part of an answer's life is given up for it.
const CAUTION: u32 = 1_000;

/// A settled answer with everything that a request must share to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedAnswer {
    /// The key.
    pub record: RecordId,
    /// What was asked for under it.
    pub fingerprint: Fingerprint,
    /// What is replayed.
    pub answer: Arc<SettledAnswer>,
    /// When it stops being replayed, as a reading of the [`super::Clock`]; never later than the
    /// store's own time for it.
    pub live_until: Duration,
}

impl CachedAnswer {
    /// An answer that the store told of after the clock read `asked_at`.
    pub fn new(
        record: RecordId,
        fingerprint: Fingerprint,
        answer: Arc<SettledAnswer>,
        asked_at: Duration,
    ) -> Self {
        let left = answer.expires_at - answer.told_at;
        let left: Duration = left.try_into().unwrap_or_default();
        let live_until = asked_at.saturating_add(left.saturating_sub(left / CAUTION));
        Self { record, fingerprint, answer, live_until }
    }

    /// Whether it is still replayed when the clock reads `now`.
    pub fn is_live(&self, now: Duration) -> bool {
        now < self.live_until
    }

    /// Whether this very request was made under this very key.
    pub fn answers(&self, record: &RecordId, fingerprint: &Fingerprint) -> bool {
        self.record == *record && self.fingerprint == *fingerprint
    }
}

/// Settled answers, until they are forgotten for whatever reason: whoever finds none asks the
/// store. There is no error, and nothing here is the only copy of anything.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait ReplayCache: Send + Sync {
    /// An answer under that key that is still replayed, whatever was asked for.
    async fn find(&self, record: &RecordId) -> Option<Arc<CachedAnswer>>;

    /// Takes an answer that is committed, in the place of an older one; never waits.
    fn remember(&self, answer: Arc<CachedAnswer>);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::use_cases::fixtures;

    const ASKED_AT: Duration = Duration::from_secs(500);

    /// An answer of which that is left by the store's clock.
    fn with_left(left: time::Duration) -> CachedAnswer {
        let settled = fixtures::settled("paid");
        let told_at = settled.expires_at - left;
        let answer = Arc::new(SettledAnswer { told_at, ..settled });
        let fingerprint = fixtures::request().fingerprint();
        CachedAnswer::new(fixtures::record(), fingerprint, answer, ASKED_AT)
    }

    #[test]
    fn an_answer_lives_from_before_the_store_was_asked_and_a_little_less_than_there() {
        let cached = with_left(time::Duration::seconds(1000));
        assert!(cached.is_live(ASKED_AT) && cached.is_live(ASKED_AT + Duration::from_secs(998)));
        assert!(!cached.is_live(ASKED_AT + Duration::from_secs(999)));
    }

    #[test]
    fn an_answer_of_which_nothing_is_left_is_never_live() {
        for left in [time::Duration::ZERO, time::Duration::seconds(-1), time::Duration::days(-365)]
        {
            assert!(!with_left(left).is_live(ASKED_AT), "{left}");
        }
    }

    #[test]
    fn an_answer_that_lives_for_a_thousand_years_is_live() {
        let cached = with_left(time::Duration::days(365_000));
        assert!(cached.is_live(Duration::from_secs(364_000 * 86_400)));
    }

    #[test]
    fn an_answer_is_one_keys_one_accounts_and_one_requests() {
        let cached = with_left(time::Duration::DAY);
        let (record, fingerprint) = (fixtures::record(), fixtures::request().fingerprint());
        assert!(cached.answers(&record, &fingerprint));
        let account = "another".parse().expect("valid");
        let key = "another".parse().expect("valid");
        let space = crate::idempotency::KeySpace::Order;
        for other in [
            RecordId { account, ..record.clone() },
            RecordId { space, ..record.clone() },
            RecordId { key, ..record.clone() },
        ] {
            assert!(!cached.answers(&other, &fingerprint), "{other:?}");
        }
        let version = fingerprint.version + 1;
        for other in [Fingerprint { version, ..fingerprint.clone() }, Fingerprint::of(&[])] {
            assert!(!cached.answers(&record, &other), "{other:?}");
        }
    }
}
