//! The payment and its state machine.
//!
//! `PROCESSING → COMPLETED | FAILED | NEEDS_REVIEW`, `NEEDS_REVIEW → COMPLETED | FAILED`, nothing
//! else: a transition consumes the payment and fails on any other state.

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

use super::PaymentRequest;
use crate::gateway::{Charge, Decline, GatewayIdentity, GatewayKey};
use crate::idempotency::{Generation, RecordId};

/// Names a payment: a UUID of version 7 (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentId(pub Uuid);

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a payment failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The gateway declined it.
    Declined {
        /// The issuer's reason.
        code: Option<String>,
    },
    /// Every attempt failed, and the gateway confirmed that no money moved or will move.
    GatewayError,
}

impl Failure {
    /// The machine-readable code that clients and the store know.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Declined { .. } => "payment_declined",
            Self::GatewayError => "gateway_error",
        }
    }
}

/// The final word on a payment, as a gateway's answer proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Money moved.
    Completed(Charge),
    /// The gateway declined: none moved and none will.
    Declined(Decline),
    /// The key is burnt at the gateway: none moved and none will.
    Voided,
}

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentState {
    /// Not final.
    Processing,
    /// Money moved.
    Completed {
        /// The charge's id at the gateway.
        gateway_reference: String,
        /// When that was known.
        at: OffsetDateTime,
    },
    /// No money moved and none will.
    Failed {
        /// Why.
        failure: Failure,
        /// The declined charge's id at the gateway, where there is one.
        gateway_reference: Option<String>,
        /// When that was known.
        at: OffsetDateTime,
    },
    /// Unknown past the policy limit; an operator decides.
    NeedsReview,
}

/// The name of a state, as clients and the store know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentStatus {
    /// Not final.
    Processing,
    /// Money moved.
    Completed,
    /// No money moved and none will.
    Failed,
    /// An operator decides.
    NeedsReview,
}

impl PaymentStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Processing, Self::Completed, Self::Failed, Self::NeedsReview];

    /// The name that clients see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::NeedsReview => "NEEDS_REVIEW",
        }
    }

    /// Reads the name that clients see.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether nothing can change it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// One intended movement of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// The key that names it, with its account and key space.
    pub record: RecordId,
    /// Which use of the key.
    pub generation: Generation,
    /// What was asked for.
    pub request: PaymentRequest,
    /// Which gateway holds its charge.
    pub gateway: GatewayIdentity,
    /// The key under which that gateway knows it.
    pub gateway_key: GatewayKey,
    /// The bytes sent on every attempt.
    pub gateway_request: Vec<u8>,
    /// Sends that may have been made so far.
    pub attempts: u32,
    /// When the first send may have been made.
    pub first_sent_at: Option<OffsetDateTime>,
    /// When a void was first intended: from then on it can only be voided.
    pub void_intended_at: Option<OffsetDateTime>,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// What became of it.
    pub state: PaymentState,
}

/// The payment is final already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment cannot go from {from:?} to {to:?}")]
pub struct InvalidTransition {
    /// Where it is.
    pub from: PaymentStatus,
    /// Where it was to go.
    pub to: PaymentStatus,
}

impl Payment {
    /// Opened now; for what was prepared before the store told its time.
    #[must_use]
    pub fn opened_at(self, now: OffsetDateTime) -> Self {
        Self { first_sent_at: self.first_sent_at.map(|_| now), created_at: now, ..self }
    }

    /// The name of its state.
    pub fn status(&self) -> PaymentStatus {
        match self.state {
            PaymentState::Processing => PaymentStatus::Processing,
            PaymentState::Completed { .. } => PaymentStatus::Completed,
            PaymentState::Failed { .. } => PaymentStatus::Failed,
            PaymentState::NeedsReview => PaymentStatus::NeedsReview,
        }
    }

    /// Whether nothing can change it any more.
    pub fn is_final(&self) -> bool {
        self.status().is_final()
    }

    /// Makes the verdict its final state.
    pub fn conclude(self, verdict: Verdict, at: OffsetDateTime) -> Result<Self, InvalidTransition> {
        let at = at.max(self.created_at);
        let state = match verdict {
            Verdict::Completed(charge) => {
                PaymentState::Completed { gateway_reference: charge.reference, at }
            }
            Verdict::Declined(Decline { reference, code }) => PaymentState::Failed {
                failure: Failure::Declined { code },
                gateway_reference: reference,
                at,
            },
            Verdict::Voided => {
                PaymentState::Failed { failure: Failure::GatewayError, gateway_reference: None, at }
            }
        };
        self.go_to(state)
    }

    /// Leaves it to an operator.
    pub fn send_to_review(self) -> Result<Self, InvalidTransition> {
        self.go_to(PaymentState::NeedsReview)
    }

    fn go_to(self, state: PaymentState) -> Result<Self, InvalidTransition> {
        use PaymentStatus::{Completed, Failed, NeedsReview, Processing};
        let from = self.status();
        let next = Self { state, ..self };
        match (from, next.status()) {
            (Processing, Completed | Failed | NeedsReview) | (NeedsReview, Completed | Failed) => {
                Ok(next)
            }
            (from, to) => Err(InvalidTransition { from, to }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::use_cases::fixtures;
    use time::Duration;

    fn verdicts() -> [(Verdict, PaymentStatus); 3] {
        [
            (Verdict::Completed(Charge { reference: "ch".to_owned() }), PaymentStatus::Completed),
            (Verdict::Declined(Decline { reference: None, code: None }), PaymentStatus::Failed),
            (Verdict::Voided, PaymentStatus::Failed),
        ]
    }

    #[test]
    fn a_processing_payment_can_end_in_every_way_and_an_ended_one_in_none() {
        for (verdict, status) in verdicts() {
            let payment = fixtures::payment();
            let at = payment.created_at + Duration::SECOND;
            let ended = payment.conclude(verdict, at).expect("processing may end");
            assert_eq!(ended.status(), status);
            for (again, to) in verdicts() {
                assert_eq!(
                    ended.clone().conclude(again, at),
                    Err(InvalidTransition { from: status, to })
                );
            }
            assert!(ended.send_to_review().is_err());
        }
    }

    #[test]
    fn a_payment_in_review_can_only_be_ended() {
        for (verdict, status) in verdicts() {
            let review = fixtures::payment().send_to_review().expect("processing may be reviewed");
            assert!(review.clone().send_to_review().is_err());
            let at = review.created_at;
            assert_eq!(review.conclude(verdict, at).map(|ended| ended.status()), Ok(status));
        }
    }

    #[test]
    fn a_payment_never_ends_before_it_began() {
        let payment = fixtures::payment();
        let began = payment.created_at;
        let ended = payment.conclude(Verdict::Voided, began - Duration::HOUR).expect("may end");
        assert!(matches!(ended.state, PaymentState::Failed { at, .. } if at == began));
    }
}
