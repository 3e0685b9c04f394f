//! An operator settles a payment that needs review.
//!
//! The operator owns it under the next fence like any other owner, and everything is recorded
//! with name and reason. `FAILED` needs a confirmed void and `COMPLETED` a charge that the gateway
//! shows, unless the operator overrides that in so many words.

use std::sync::Arc;

use tokio::time::timeout;

use super::pay::Ended;
use super::{Paid, PayError, PayPayment};
use crate::account::AccountId;
use crate::gateway::{Charge, LookUpOutcome, VoidOutcome};
use crate::payment::{Actor, EventKind, Payment, PaymentId, PaymentStatus, Timeline, Verdict};
use crate::ports::{
    HandOver, HandOverTo, LeaseRenewal, Owned, PaymentQueries, Renewed, RepositoryError,
    TakeReviewed,
};
use crate::text::Text;

/// The use case.
pub struct ResolvePayment {
    /// The store, the gateway and the terms.
    pub pay: Arc<PayPayment>,
    /// Finds the payment.
    pub queries: Arc<dyn PaymentQueries>,
}

/// What an operator decides, and why.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// Whose payment.
    pub account: AccountId,
    /// Which payment.
    pub payment: PaymentId,
    /// Who decides.
    pub operator: Text<1, 100>,
    /// Why.
    pub reason: Text<1, 500>,
    /// What.
    pub decision: Decision,
}

/// The end that an operator gives a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Money moved. With a reference it stands even where the gateway does not show the charge.
    Completed {
        /// The charge's id, by the operator's own knowledge.
        reference: Option<String>,
    },
    /// No money moved and none will.
    Failed {
        /// It stands even where the gateway does not confirm a void.
        without_void: bool,
    },
}

/// What became of it.
#[derive(Debug)]
pub enum Resolved {
    /// It is final.
    Settled(PaymentStatus),
    /// It stays in review, for this reason.
    InReview(String),
}

/// Why nothing was resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such payment.
    #[error("there is no such payment")]
    NotFound,
    /// Only a payment in review can be resolved.
    #[error("only a payment that is NEEDS_REVIEW can be resolved; this one is {}", .0.as_str())]
    NotInReview(PaymentStatus),
    /// Somebody else resolves it.
    #[error("somebody else is resolving it")]
    Taken,
    /// It could not be written down.
    #[error("the payment could not be written down")]
    Pay(#[from] PayError),
}

impl From<RepositoryError> for ResolveError {
    fn from(error: RepositoryError) -> Self {
        Self::Pay(error.into())
    }
}

/// What the gateway and the operator's word came to.
enum Ruling {
    Verdict(Verdict),
    Undecided(String),
    FenceLost,
}

impl ResolvePayment {
    /// Gives the payment its end, or leaves it in review.
    pub async fn execute(&self, resolution: &Resolution) -> Result<Resolved, ResolveError> {
        let found = self.queries.find(&resolution.account, resolution.payment).await?;
        let payment = found.ok_or(ResolveError::NotFound)?;
        if payment.status() != PaymentStatus::NeedsReview {
            return Err(ResolveError::NotInReview(payment.status()));
        }
        let owned = self.take(resolution, &payment).await?;
        let timeline = &mut Timeline::after_opening(owned.fence, Actor::Operator);
        let ruling = match &resolution.decision {
            Decision::Completed { reference } => {
                self.completed(&owned, reference.as_ref(), timeline).await?
            }
            Decision::Failed { without_void } => {
                self.failed(&owned, *without_void, timeline).await?
            }
        };
        match ruling {
            Ruling::Verdict(verdict) => self.settle(owned, verdict, timeline).await,
            Ruling::Undecided(reason) => self.leave(owned, reason, timeline).await,
            Ruling::FenceLost => Err(ResolveError::Taken),
        }
    }

    async fn take(&self, by: &Resolution, payment: &Payment) -> Result<Owned, ResolveError> {
        let take = TakeReviewed {
            record: payment.record.clone(),
            payment: payment.id,
            lease: self.pay.terms.lease,
            note: format!("{}: {}", by.operator.as_str(), by.reason.as_str()),
        };
        self.pay.repository.take_reviewed(take).await?.ok_or(ResolveError::Taken)
    }

    async fn completed(
        &self,
        owned: &Owned,
        reference: Option<&String>,
        timeline: &mut Timeline,
    ) -> Result<Ruling, ResolveError> {
        // Once a void was intended, an approved charge may still be voided: only the void's own
        // answer counts.
        if owned.payment.void_intended_at.is_some() {
            return self.completed_despite_void(owned, reference, timeline).await;
        }
        let shown = self.look_up(&owned.payment).await;
        let contradiction = match shown {
            Ok(LookUpOutcome::Approved(charge)) => {
                timeline.add(EventKind::LookUp, None, Some("approved".to_owned()));
                return Ok(Ruling::Verdict(Verdict::Completed(charge)));
            }
            Ok(LookUpOutcome::Declined(_)) => "the gateway shows a declined charge".to_owned(),
            Ok(LookUpOutcome::Voided) => "the gateway shows a voided key".to_owned(),
            Ok(LookUpOutcome::Unseen { reason } | LookUpOutcome::Nothing { reason }) => {
                format!("the gateway shows nothing: {reason}")
            }
            Err(reason) => reason,
        };
        timeline.add(EventKind::LookUp, None, Some(contradiction.clone()));
        Ok(by_word_of_operator(reference, contradiction, timeline))
    }

    async fn completed_despite_void(
        &self,
        owned: &Owned,
        reference: Option<&String>,
        timeline: &mut Timeline,
    ) -> Result<Ruling, ResolveError> {
        let contradiction = match self.void(owned, timeline).await? {
            Ok(VoidOutcome::Settled(charge)) => {
                timeline.add(EventKind::Void, None, Some("approved before".to_owned()));
                return Ok(Ruling::Verdict(Verdict::Completed(charge)));
            }
            Ok(VoidOutcome::Voided) => "the gateway has voided the key".to_owned(),
            Ok(VoidOutcome::Declined(_)) => "the gateway shows a declined charge".to_owned(),
            Ok(VoidOutcome::Nothing { reason }) => format!("the void is unconfirmed: {reason}"),
            Err(Some(reason)) => reason,
            Err(None) => return Ok(Ruling::FenceLost),
        };
        timeline.add(EventKind::Void, None, Some(contradiction.clone()));
        Ok(by_word_of_operator(reference, contradiction, timeline))
    }

    async fn failed(
        &self,
        owned: &Owned,
        without_void: bool,
        timeline: &mut Timeline,
    ) -> Result<Ruling, ResolveError> {
        let doubt = match self.void(owned, timeline).await? {
            Ok(VoidOutcome::Voided) => {
                timeline.add(EventKind::Void, None, Some("voided".to_owned()));
                return Ok(Ruling::Verdict(Verdict::Voided));
            }
            Ok(VoidOutcome::Declined(decline)) => {
                timeline.add(EventKind::Void, None, Some("declined before".to_owned()));
                return Ok(Ruling::Verdict(Verdict::Declined(decline)));
            }
            Ok(VoidOutcome::Settled(charge)) => {
                // Money moved: no word of an operator makes that a failure.
                let doubt = format!("the gateway holds the live charge {}", charge.reference);
                timeline.add(EventKind::Void, None, Some(doubt.clone()));
                return Ok(Ruling::Undecided(doubt));
            }
            Ok(VoidOutcome::Nothing { reason }) => format!("the void is unconfirmed: {reason}"),
            Err(Some(reason)) => reason,
            Err(None) => return Ok(Ruling::FenceLost),
        };
        timeline.add(EventKind::Void, None, Some(doubt.clone()));
        if without_void {
            timeline.add(EventKind::Overridden, None, Some(doubt));
            return Ok(Ruling::Verdict(Verdict::Voided));
        }
        Ok(Ruling::Undecided(doubt))
    }

    /// Asks for the charge, where this instance may.
    async fn look_up(&self, payment: &Payment) -> Result<LookUpOutcome, String> {
        self.check_gateway(payment)?;
        let call = self.pay.gateway.look_up(payment.gateway_key, &payment.gateway_request);
        timeout(self.pay.terms.retry.attempt_timeout, call)
            .await
            .map_err(|_late| "the gateway did not answer in time".to_owned())
    }

    /// Commits the intention and sends a void, where this instance may; `Err(None)` when the fence
    /// was lost.
    async fn void(
        &self,
        owned: &Owned,
        timeline: &mut Timeline,
    ) -> Result<Result<VoidOutcome, Option<String>>, ResolveError> {
        let payment = &owned.payment;
        if let Err(reason) = self.check_gateway(payment) {
            return Ok(Err(Some(reason)));
        }
        if payment.void_intended_at.is_none() {
            timeline.add(EventKind::VoidIntended, None, None);
        }
        let renewal = LeaseRenewal {
            record: payment.record.clone(),
            payment: payment.id,
            fence: owned.fence,
            lease: self.pay.terms.lease,
            attempts: payment.attempts,
            void_intended: true,
            events: timeline.take(),
        };
        if self.pay.repository.renew(renewal).await? == Renewed::FenceLost {
            return Ok(Err(None));
        }
        let call = self.pay.gateway.void(payment.gateway_key, &payment.gateway_request);
        let outcome = timeout(self.pay.terms.retry.attempt_timeout, call).await;
        Ok(outcome.map_err(|_late| Some("the gateway did not answer in time".to_owned())))
    }

    fn check_gateway(&self, payment: &Payment) -> Result<(), String> {
        if payment.gateway == self.pay.gateway.identity() {
            return Ok(());
        }
        Err("this instance speaks to another gateway than the payment's".to_owned())
    }

    async fn settle(
        &self,
        owned: Owned,
        verdict: Verdict,
        timeline: &mut Timeline,
    ) -> Result<Resolved, ResolveError> {
        let status = match verdict {
            Verdict::Completed(_) => PaymentStatus::Completed,
            Verdict::Declined(_) | Verdict::Voided => PaymentStatus::Failed,
        };
        let ended = Ended {
            at: owned.now,
            payment: Box::new(owned.payment),
            fence: owned.fence,
            request_id: &owned.request_id,
            fingerprint: &owned.fingerprint,
            verdict,
        };
        match self.pay.settle(ended, timeline).await? {
            Paid::Settled(_) => Ok(Resolved::Settled(status)),
            Paid::Unfinished { .. } | Paid::LeftOpen(_) | Paid::FenceLost => {
                Err(ResolveError::Taken)
            }
        }
    }

    async fn leave(
        &self,
        owned: Owned,
        reason: String,
        timeline: &mut Timeline,
    ) -> Result<Resolved, ResolveError> {
        timeline.add(EventKind::NeedsReview, None, None);
        let hand_over = HandOver {
            record: owned.payment.record.clone(),
            payment: owned.payment.id,
            fence: owned.fence,
            to: HandOverTo::Review,
            events: timeline.take(),
        };
        match self.pay.repository.hand_over(hand_over).await? {
            Renewed::Granted => Ok(Resolved::InReview(reason)),
            Renewed::FenceLost => Err(ResolveError::Taken),
        }
    }
}

/// A charge that the gateway does not show stands only by the operator's explicit word.
fn by_word_of_operator(
    reference: Option<&String>,
    contradiction: String,
    timeline: &mut Timeline,
) -> Ruling {
    let Some(reference) = reference else {
        return Ruling::Undecided(contradiction);
    };
    timeline.add(EventKind::Overridden, None, Some(contradiction));
    Ruling::Verdict(Verdict::Completed(Charge { reference: reference.clone() }))
}
