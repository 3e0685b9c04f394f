//! Payments that are left for their clients' next try.
//!
//! Until that time is over recovery only looks for their outcome and never re-sends: their clients
//! were told that nothing is final. Then they are voided, while the gateway still knows their keys.

use time::OffsetDateTime;

use super::Round;
use super::calls::Reach;
use crate::payment::FailurePolicy;

impl Round<'_> {
    /// Whether it is left for its client's next try, rather than voided or handed to recovery.
    pub(super) fn may_stay_open(&self) -> bool {
        let is_for_client = match self.payment.request.operation.failure_policy() {
            FailurePolicy::Void => false,
            FailurePolicy::OpenIfUnreachable => {
                self.open_until.is_some() || self.reach == Reach::Nothing
            }
            FailurePolicy::Open => true,
        };
        is_for_client
            && self.payment.gateway == self.pay.gateway.identity()
            && self.payment.void_intended_at.is_none()
            && self.store_now() < self.open_end()
    }

    /// When it is voided at the latest: its time is over, or the gateway is about to forget its key.
    pub(super) fn open_end(&self) -> OffsetDateTime {
        let until = self.open_until.unwrap_or_else(|| self.store_now() + self.pay.terms.open_for);
        let window_end = self.payment.first_sent_at.map(|first| {
            first + self.pay.terms.dedupe_window - self.pay.terms.lease.saturating_mul(2)
        });
        window_end.map_or(until, |end| end.min(until))
    }
}
