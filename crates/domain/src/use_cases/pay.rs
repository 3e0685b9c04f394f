//! The second and third phase: pay an owned payment at the gateway, then settle it.
//!
//! Nothing is held across the network. Before every send a fenced transaction has committed, and
//! nothing is ever concluded from doubt: what stays unknown is handed to the recovery worker.

mod calls;
mod left_open;

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use self::calls::Reach;
use super::{Replays, Waiters};
use crate::account::{Mode, RequestId};
use crate::failpoints::reach;
use crate::gateway::{ChargeOutcome, VoidOutcome};
use crate::idempotency::{Fence, Fingerprint, SettledAnswer};
use crate::payment::{
    Actor, EventKind, InvalidTransition, Payment, PaymentStatus, Timeline, Verdict,
};
use crate::ports::{
    AnswerFormat, Clock, HandOver, HandOverTo, LeaseRenewal, Owned, OwnedBy, PaymentGateway,
    PaymentRepository, Random, Renewed, RepositoryError, Settle, Settled,
};
use crate::retry::RetryPolicy;
use crate::sabotage::{Rule, is_broken};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct PayTerms {
    /// Attempts, timeouts and pauses.
    pub retry: RetryPolicy,
    /// How long an owner may work without a sign of life; longer than the retry deadline.
    pub lease: Duration,
    /// How long a stored answer is replayed.
    pub retention: Duration,
    /// How long after the first send the gateway still recognises the key of a charge.
    pub dedupe_window: Duration,
    /// How long a payment is left for its client's next try before it is voided.
    pub open_for: Duration,
    /// When the recovery worker looks again at a payment whose outcome is unknown.
    pub recovery: RecoveryTerms,
    /// Whether payments of test sides may be sent: never to a gateway that moves money.
    pub sends_tests: bool,
}

/// When a payment whose outcome is unknown is looked at again, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct RecoveryTerms {
    /// The first pause, and the shortest; later ones are as long as the payment is old.
    pub first_delay: Duration,
    /// The longest pause.
    pub longest_delay: Duration,
    /// After this long without an outcome an operator decides.
    pub review_after: Duration,
}

impl RecoveryTerms {
    /// The pause for a payment of this age. Looks alone make it double each time; owners are not
    /// counted, because a client that retries often makes many of them.
    fn delay_at(&self, age: time::Duration) -> Duration {
        let age = Duration::try_from(age).unwrap_or_default();
        age.max(self.first_delay).min(self.longest_delay)
    }
}

/// Pays what somebody owns.
pub struct PayPayment {
    /// The store.
    pub repository: Arc<dyn PaymentRepository>,
    /// The gateway.
    pub gateway: Arc<dyn PaymentGateway>,
    /// Spells final answers.
    pub format: Arc<dyn AnswerFormat>,
    /// Measures leases.
    pub clock: Arc<dyn Clock>,
    /// Draws pauses.
    pub random: Arc<dyn Random>,
    /// Is told of every settle.
    pub waiters: Arc<Waiters>,
    /// Answers that are at hand.
    pub replays: Arc<Replays>,
    /// How long things may take.
    pub terms: PayTerms,
}

/// What paying came to.
#[derive(Debug)]
pub enum Paid {
    /// Final, and stored.
    Settled(Arc<SettledAnswer>),
    /// Not final; the recovery worker goes on, by the store's record or once the lease is over.
    Unfinished {
        /// The payment as far as it is known.
        payment: Box<Payment>,
        /// Why the store does not know more, where it is the store's fault.
        cause: Option<PayError>,
    },
    /// Not final, and left for its client's next try.
    LeftOpen(Box<Payment>),
    /// Somebody else has taken over: whatever they made of it stands.
    FenceLost,
}

/// What kept a payment from being written down.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// The store failed.
    #[error("the store failed while a payment was under way")]
    Store(#[from] RepositoryError),
    /// The task stopped before its end.
    #[error("a task that pays stopped before its end")]
    Stopped(#[source] tokio::task::JoinError),
    /// A verdict on a payment that is final already: a fault of this program.
    #[error("a payment that is final already was paid again")]
    Transition(#[from] InvalidTransition),
}

impl PayPayment {
    /// Pays. `leased_at` is the clock's reading from before the transaction that gave ownership.
    pub async fn execute(&self, owned: Box<Owned>, leased_at: Duration) -> Paid {
        let mut round = Round::new(self, *owned, leased_at);
        match round.run().await {
            Ok(paid) => paid,
            Err(cause) => Paid::Unfinished { payment: Box::new(round.payment), cause: Some(cause) },
        }
    }

    /// Stores a payment's end and answer, and wakes whoever waits here for it.
    pub(super) async fn settle(
        &self,
        ended: Ended<'_>,
        timeline: &mut Timeline,
    ) -> Result<Paid, PayError> {
        let kind = match ended.verdict {
            Verdict::Completed(_) => EventKind::Completed,
            Verdict::Declined(_) | Verdict::Voided => EventKind::Failed,
        };
        let payment = (*ended.payment).conclude(ended.verdict, ended.at)?;
        timeline.add(kind, None, None);
        let id = payment.id;
        let is_kept = self.replays.is_on();
        let kept = is_kept.then(|| (payment.record.clone(), ended.fingerprint.clone()));
        let asked_at = self.replays.now();
        let settle = Box::new(Settle {
            answer: self.format.final_answer(&payment, ended.request_id),
            opened_by: ended.request_id.clone(),
            fence: ended.fence,
            retention: payment.record.space.retention(self.terms.retention),
            payment,
            events: timeline.take(),
        });
        reach("before_record_commit");
        match self.repository.settle(settle).await? {
            Settled::Stored(answer) => {
                reach("after_record_commit");
                let answer = Arc::new(answer);
                if let Some((record, fingerprint)) = kept {
                    self.replays.remember(record, fingerprint, &answer, asked_at);
                }
                self.waiters.settled(id, &answer);
                reach("after_wake");
                Ok(Paid::Settled(answer))
            }
            Settled::FenceLost => Ok(Paid::FenceLost),
        }
    }
}

/// A payment whose end its owner knows.
pub(super) struct Ended<'a> {
    pub(super) payment: Box<Payment>,
    pub(super) fence: Fence,
    pub(super) request_id: &'a RequestId,
    pub(super) fingerprint: &'a Fingerprint,
    pub(super) verdict: Verdict,
    pub(super) at: OffsetDateTime,
}

/// One owner's work on one payment.
struct Round<'a> {
    pay: &'a PayPayment,
    payment: Payment,
    fence: Fence,
    request_id: RequestId,
    fingerprint: Fingerprint,
    timeline: Timeline,
    /// Whether a committed transaction already says that the next charge is sent.
    is_announced: bool,
    /// Until when it is left for its client: before then its owner only looks.
    open_until: Option<OffsetDateTime>,
    reach: Reach,
    store_now: OffsetDateTime,
    began_at: Duration,
    leased_at: Duration,
    deadline: Instant,
}

/// What the round has found out so far.
enum Finding {
    Verdict(Verdict),
    Unknown,
    FenceLost,
}

impl<'a> Round<'a> {
    fn new(pay: &'a PayPayment, owned: Owned, leased_at: Duration) -> Self {
        let actor = match owned.by {
            OwnedBy::Opening => Actor::Request,
            OwnedBy::TakeOver => Actor::Retry,
            OwnedBy::Recovery => Actor::Recovery,
            OwnedBy::Operator => Actor::Operator,
        };
        Self {
            pay,
            timeline: Timeline::after_opening(owned.fence, actor),
            payment: owned.payment,
            fence: owned.fence,
            request_id: owned.request_id,
            fingerprint: owned.fingerprint,
            is_announced: owned.by == OwnedBy::Opening,
            open_until: owned.open_until,
            reach: Reach::Untried,
            store_now: owned.now,
            began_at: pay.clock.elapsed(),
            leased_at,
            deadline: Instant::now() + pay.terms.retry.deadline,
        }
    }

    async fn run(&mut self) -> Result<Paid, PayError> {
        match self.find_out().await? {
            Finding::Verdict(verdict) => self.settle(verdict).await,
            Finding::Unknown => self.hand_over().await,
            Finding::FenceLost => Ok(Paid::FenceLost),
        }
    }

    async fn find_out(&mut self) -> Result<Finding, PayError> {
        // Another instance's, or an operator's whose own owner died.
        let is_somebody_elses = self.payment.gateway != self.pay.gateway.identity()
            || self.payment.status() == PaymentStatus::NeedsReview;
        if is_somebody_elses {
            return Ok(Finding::Unknown);
        }
        if self.payment.void_intended_at.is_some() {
            return self.void().await;
        }
        let may_have_been_sent = self.payment.attempts > 0 && !self.is_announced;
        if may_have_been_sent {
            let verdict = self.look_up().await;
            reach("recovery_inquired");
            if let Some(verdict) = verdict {
                return Ok(Finding::Verdict(verdict));
            }
        }
        if self.open_until.is_none() {
            if let Some(finding) = self.attempts().await? {
                return Ok(finding);
            }
            if let Some(verdict) = self.look_up().await {
                return Ok(Finding::Verdict(verdict));
            }
        }
        if self.may_stay_open() || !self.is_inside_dedupe_window() {
            return Ok(Finding::Unknown);
        }
        self.void().await
    }

    /// Sends the charge until something is proved or the attempts are used up (`None`).
    async fn attempts(&mut self) -> Result<Option<Finding>, PayError> {
        let mut pauses = self.pay.terms.retry.pauses();
        for attempt in 1..=self.pay.terms.retry.attempts {
            // Asked anew each time: the machine may have slept between two attempts.
            if !self.is_inside_dedupe_window() {
                return Ok(Some(Finding::Unknown));
            }
            if !std::mem::take(&mut self.is_announced) {
                self.payment.attempts = self.payment.attempts.saturating_add(1);
                if self.announce(false).await? == Renewed::FenceLost {
                    return Ok(Some(Finding::FenceLost));
                }
            }
            self.payment.first_sent_at.get_or_insert(self.store_now());
            if !self.may_send() || !self.is_inside_dedupe_window() {
                return Ok(Some(Finding::Unknown));
            }
            let outcome = self.charge().await;
            let asked_pause = match outcome {
                ChargeOutcome::Approved(charge) => {
                    return Ok(Some(Finding::Verdict(Verdict::Completed(charge))));
                }
                ChargeOutcome::Declined(decline) => {
                    return Ok(Some(Finding::Verdict(Verdict::Declined(decline))));
                }
                ChargeOutcome::Voided => return Ok(Some(Finding::Verdict(Verdict::Voided))),
                ChargeOutcome::Unknown { .. } if is_broken(Rule::Doubt) => {
                    return Ok(Some(Finding::Verdict(Verdict::Voided)));
                }
                ChargeOutcome::NotExecuted { retry_after, .. } => retry_after,
                ChargeOutcome::Unreachable { .. } | ChargeOutcome::Unknown { .. } => None,
            };
            // While nothing gets through there is nothing to be learnt, and no void to be confirmed.
            if !self.pay.gateway.is_available() {
                return Ok(Some(Finding::Unknown));
            }
            let is_last = attempt == self.pay.terms.retry.attempts;
            if is_last || !self.pause(pauses.next(), asked_pause).await {
                break;
            }
        }
        Ok(None)
    }

    /// Burns the key at the gateway. A one-way door: its intention is committed before the first
    /// void is sent, and from then on every owner only repeats the void.
    async fn void(&mut self) -> Result<Finding, PayError> {
        let mut pauses = self.pay.terms.retry.pauses();
        for attempt in 1..=self.pay.terms.retry.attempts {
            // The door is not shut for a void that cannot be sent any more.
            if self.call_limit().is_zero() {
                break;
            }
            if self.payment.void_intended_at.is_none() {
                self.timeline.add(EventKind::VoidIntended, None, None);
            }
            if self.announce(true).await? == Renewed::FenceLost {
                return Ok(Finding::FenceLost);
            }
            self.payment.void_intended_at.get_or_insert(self.store_now());
            if !self.may_send() {
                return Ok(Finding::Unknown);
            }
            match self.send_void().await {
                VoidOutcome::Voided => return Ok(Finding::Verdict(Verdict::Voided)),
                VoidOutcome::Declined(decline) => {
                    return Ok(Finding::Verdict(Verdict::Declined(decline)));
                }
                VoidOutcome::Settled(charge) => {
                    return Ok(Finding::Verdict(Verdict::Completed(charge)));
                }
                VoidOutcome::Nothing { .. } => {}
            }
            let is_last = attempt == self.pay.terms.retry.attempts;
            if is_last || !self.pause(pauses.next(), None).await {
                break;
            }
        }
        Ok(Finding::Unknown)
    }

    /// Commits, under the fence, that a send follows.
    async fn announce(&mut self, void_intended: bool) -> Result<Renewed, PayError> {
        reach("before_mark");
        let leased_at = self.pay.clock.elapsed();
        let renewal = LeaseRenewal {
            record: self.payment.record.clone(),
            payment: self.payment.id,
            fence: self.fence,
            lease: self.pay.terms.lease,
            attempts: self.payment.attempts,
            void_intended,
            events: self.timeline.take(),
        };
        let renewed = self.pay.repository.renew(renewal).await?;
        self.leased_at = leased_at;
        reach("after_mark");
        Ok(renewed)
    }

    async fn settle(&mut self, verdict: Verdict) -> Result<Paid, PayError> {
        let ended = Ended {
            payment: Box::new(self.payment.clone()),
            fence: self.fence,
            request_id: &self.request_id,
            fingerprint: &self.fingerprint,
            verdict,
            at: self.store_now(),
        };
        self.pay.settle(ended, &mut self.timeline).await
    }

    async fn hand_over(&mut self) -> Result<Paid, PayError> {
        let is_in_review = self.payment.status() == PaymentStatus::NeedsReview;
        let to = if is_in_review || self.is_due_for_review() {
            if !is_in_review {
                self.payment = self.payment.clone().send_to_review()?;
            }
            self.timeline.add(EventKind::NeedsReview, None, None);
            HandOverTo::Review
        } else if self.may_stay_open() {
            self.timeline.add(EventKind::LeftOpen, None, None);
            let pause = self.pay.terms.recovery.delay_at(self.age());
            let left = self.open_end() - self.store_now();
            let due_in = pause.min(left.try_into().unwrap_or_default());
            HandOverTo::Client { due_in, open_for: self.pay.terms.open_for }
        } else {
            self.timeline.add(EventKind::HandedOver, None, None);
            HandOverTo::Recovery(self.pay.terms.recovery.delay_at(self.age()))
        };
        let hand_over = HandOver {
            record: self.payment.record.clone(),
            payment: self.payment.id,
            fence: self.fence,
            to,
            events: self.timeline.take(),
        };
        reach("before_hand_over");
        match self.pay.repository.hand_over(hand_over).await? {
            Renewed::Granted => {
                self.pay.waiters.look_again(self.payment.id);
                let payment = Box::new(self.payment.clone());
                Ok(match to {
                    HandOverTo::Client { .. } => Paid::LeftOpen(payment),
                    HandOverTo::Recovery(_) | HandOverTo::Review => {
                        Paid::Unfinished { payment, cause: None }
                    }
                })
            }
            Renewed::FenceLost => Ok(Paid::FenceLost),
        }
    }

    fn is_due_for_review(&self) -> bool {
        self.age() >= self.pay.terms.recovery.review_after
    }

    fn age(&self) -> time::Duration {
        self.store_now() - self.payment.created_at
    }

    /// Waits between two sends; false when the deadline would pass meanwhile.
    async fn pause(&self, bound: Option<Duration>, asked: Option<Duration>) -> bool {
        let drawn = self.pay.random.up_to(bound.unwrap_or_default());
        let pause = drawn.max(asked.unwrap_or_default());
        if Instant::now() + pause >= self.deadline {
            return false;
        }
        sleep(pause).await;
        true
    }

    /// How long the next call may take.
    fn call_limit(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        left.min(self.pay.terms.retry.attempt_timeout)
    }

    /// False when there is no time left for an answer, or when the lease may be over: somebody else
    /// may own the payment by now. False for a test payment whose gateway has gone live since.
    fn may_send(&self) -> bool {
        let is_live = self.payment.record.account.mode() == Mode::Live;
        let since = self.pay.clock.elapsed().saturating_sub(self.leased_at);
        (is_live || self.pay.terms.sends_tests)
            && since < self.pay.terms.lease
            && !self.call_limit().is_zero()
    }

    fn is_inside_dedupe_window(&self) -> bool {
        self.payment
            .first_sent_at
            .is_none_or(|first| self.store_now() - first < self.pay.terms.dedupe_window)
    }

    /// The store's clock, carried forward by elapsed time, to the microsecond that a store holds.
    fn store_now(&self) -> OffsetDateTime {
        let now = self.store_now + self.pay.clock.elapsed().saturating_sub(self.began_at);
        now.truncate_to_microsecond()
    }
}

#[cfg(test)]
mod tests;
