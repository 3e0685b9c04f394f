//! The protocol's three phases against a store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::RepositoryError;
use crate::account::RequestId;
use crate::gateway::{GatewayIdentity, GatewayKeySecret};
use crate::idempotency::{
    AfterExpiry, ClaimTerms, Fence, Fingerprint, Generation, IdempotencyRecord, RecordId,
    RecordState, SettledAnswer, StoredAnswer, Subject,
};
use crate::payment::{
    Actor, EventKind, FingerprintedRequest, NewEvent, Payment, PaymentId, PaymentRequest,
    PaymentState, Timeline,
};

/// A request to open a payment under a key.
#[derive(Debug, Clone)]
pub struct OpenPayment {
    /// The key.
    pub record: RecordId,
    /// What is asked for.
    pub request: FingerprintedRequest,
    /// Who asks.
    pub request_id: RequestId,
    /// The id the payment gets if this request is the first.
    pub candidate: PaymentId,
    /// Which gateway this instance speaks to.
    pub gateway: GatewayIdentity,
    /// The bytes it will send.
    pub gateway_request: Vec<u8>,
    /// Derives the key it will send.
    pub key_secret: GatewayKeySecret,
    /// How long an owner may work without a sign of life.
    pub lease: Duration,
    /// What an expired key does.
    pub after_expiry: AfterExpiry,
    /// Leave the paying to the recovery worker.
    pub queued: bool,
}

impl OpenPayment {
    /// The payment that this request opens, as the given generation of its key.
    pub fn payment(&self, generation: Generation, now: OffsetDateTime) -> Payment {
        Payment {
            id: self.candidate,
            record: self.record.clone(),
            generation,
            request: PaymentRequest::clone(&self.request),
            gateway: self.gateway.clone(),
            gateway_key: self.key_secret.derive(&self.record, generation),
            gateway_request: self.gateway_request.clone(),
            attempts: u32::from(!self.queued),
            first_sent_at: (!self.queued).then_some(now),
            void_intended_at: None,
            created_at: now,
            state: PaymentState::Processing,
        }
    }

    /// The record of a key that nobody has used.
    pub fn record(&self, now: OffsetDateTime) -> IdempotencyRecord {
        IdempotencyRecord {
            id: self.record.clone(),
            generation: Generation::FIRST,
            subject: Subject::Payment,
            payment_id: self.candidate,
            fingerprint: self.request.fingerprint().clone(),
            request_id: self.request_id.clone(),
            fence: Fence::FIRST,
            opening_fence: Fence::FIRST,
            state: self.first_state(now),
            open_until: None,
            is_awaited: false,
            first_seen_at: now,
            last_seen_at: now,
        }
    }

    /// What a record that this request opens is at first.
    pub fn first_state(&self, now: OffsetDateTime) -> RecordState {
        if self.queued {
            RecordState::Queued { due_at: now }
        } else {
            RecordState::Running { lease_until: now + self.lease }
        }
    }

    /// What this request brings to a record that is already there.
    pub fn claim_terms(&self, may_take_over: bool) -> ClaimTerms<'_> {
        ClaimTerms {
            fingerprint: self.request.fingerprint(),
            subject: Subject::Payment,
            candidate: self.candidate,
            request_id: &self.request_id,
            lease: self.lease,
            after_expiry: self.after_expiry,
            may_take_over,
        }
    }

    /// The first entry of the payment's timeline.
    pub fn created_event(&self, fence: Fence) -> NewEvent {
        Timeline::opening(fence, Actor::Request, EventKind::Created)
    }

    /// The entry of a take-over.
    pub fn taken_over_event(&self, fence: Fence) -> NewEvent {
        Timeline::opening(fence, Actor::Retry, EventKind::TakenOver)
    }
}

/// How an owner came to own a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnedBy {
    /// It opened it; opening has committed the first send.
    Opening,
    /// A later request with the key took it over: somebody may have sent already.
    TakeOver,
    /// The recovery worker took it: somebody may have sent already.
    Recovery,
    /// An operator took it, and decides.
    Operator,
}

/// A payment that the caller may work on while its lease lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The payment.
    pub payment: Payment,
    /// The number under which every write is checked.
    pub fence: Fence,
    /// The request that opened it.
    pub request_id: RequestId,
    /// That request's fingerprint.
    pub fingerprint: Fingerprint,
    /// How it was come by.
    pub by: OwnedBy,
    /// Until when it is left for its client: before then recovery only looks.
    pub open_until: Option<OffsetDateTime>,
    /// The store's clock when the lease began.
    pub now: OffsetDateTime,
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The caller owns the payment.
    Owned(Box<Owned>),
    /// Accepted, or known and not the caller's to work on: queued, unknown, in review.
    Pending(Box<Payment>),
    /// The stored answer.
    Replay(SettledAnswer),
    /// Somebody works on it.
    InUse {
        /// The payment.
        payment: PaymentId,
        /// What is left of the lease.
        lease_left: Duration,
    },
    /// The key was used for another request.
    Mismatch {
        /// The payment that the key belongs to, if it belongs to one.
        payment: Option<PaymentId>,
        /// The names of the fields that differ.
        fields: Vec<&'static str>,
    },
    /// The key's answer has expired.
    Expired {
        /// The payment that the key belongs to, if it belongs to one.
        payment: Option<PaymentId>,
    },
    /// The stored fingerprint was made by a rule that this build does not know.
    UnknownFingerprintVersion,
}

/// Announces a send, and renews the lease for it.
#[derive(Debug, Clone)]
pub struct LeaseRenewal {
    /// The key.
    pub record: RecordId,
    /// The payment.
    pub payment: PaymentId,
    /// The caller's number.
    pub fence: Fence,
    /// The new lease.
    pub lease: Duration,
    /// Sends that may have been made once this one is.
    pub attempts: u32,
    /// Whether a void is intended from now on.
    pub void_intended: bool,
    /// What happened since the last transaction.
    pub events: Vec<NewEvent>,
}

/// The outcome of a [`LeaseRenewal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// The send may be made while the lease lasts.
    Granted,
    /// Somebody else owns the payment: nothing was written.
    FenceLost,
}

/// Asks for payments that nobody works on and that are due.
#[derive(Debug, Clone)]
pub struct TakeDue {
    /// Which gateway the caller can speak to now, if any: it gets no other gateway's payments,
    /// unless they are past the review limit and need an operator anyway.
    pub gateway: Option<GatewayIdentity>,
    /// The review limit.
    pub review_after: Duration,
    /// The lease on each.
    pub lease: Duration,
    /// At most so many.
    pub limit: u32,
}

/// Asks for a payment that needs review.
#[derive(Debug, Clone)]
pub struct TakeReviewed {
    /// The key.
    pub record: RecordId,
    /// The payment.
    pub payment: PaymentId,
    /// The lease on it.
    pub lease: Duration,
    /// Who takes it and why, for the timeline.
    pub note: String,
}

/// Where an unsettled payment goes when its owner gives it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOverTo {
    /// To the recovery worker, no sooner than this.
    Recovery(Duration),
    /// To its client's next try; recovery only looks for its outcome.
    Client {
        /// When recovery looks.
        due_in: Duration,
        /// For how long, unless it was left before.
        open_for: Duration,
    },
    /// To an operator.
    Review,
}

/// Gives an unsettled payment up.
#[derive(Debug, Clone)]
pub struct HandOver {
    /// The key.
    pub record: RecordId,
    /// The payment.
    pub payment: PaymentId,
    /// The caller's number.
    pub fence: Fence,
    /// Who is next.
    pub to: HandOverTo,
    /// What happened since the last transaction.
    pub events: Vec<NewEvent>,
}

/// Stores a final state and its answer.
#[derive(Debug, Clone)]
pub struct Settle {
    /// The payment in its final state.
    pub payment: Payment,
    /// The request that opened it, as its owner knows.
    pub opened_by: RequestId,
    /// The caller's number.
    pub fence: Fence,
    /// What is replayed from now on.
    pub answer: StoredAnswer,
    /// For how long.
    pub retention: Duration,
    /// What happened since the last transaction; the last of it is the end.
    pub events: Vec<NewEvent>,
}

/// The outcome of a [`Settle`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Stored.
    Stored(SettledAnswer),
    /// Somebody else owns the payment: nothing was written.
    FenceLost,
}

/// Payments and the records of their keys, changed together or not at all.
///
/// Every operation is one transaction, and idempotent: after an error it may be repeated as it
/// was. Times that decide are the store's own.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PaymentRepository: Send + Sync {
    /// Inserts the key if it is absent, together with its payment; else lets the locked record
    /// decide ([`IdempotencyRecord::claim_again`]). Of any number of racing callers, exactly one
    /// owns the payment.
    async fn open(&self, open: Arc<OpenPayment>) -> Result<Opened, RepositoryError>;

    /// Whether most requests that come are repeats of answered ones, so that it is worth the wait to ask for
    /// their answers before they are opened.
    fn expects_repeats(&self) -> bool;

    /// The stored answer to this very request, where it can be told without a lock and nothing is to be
    /// written for it; whoever gets none opens.
    async fn replay(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> Result<Option<SettledAnswer>, RepositoryError>;

    /// Commits that a send follows, if the caller still owns the payment.
    async fn renew(&self, renewal: LeaseRenewal) -> Result<Renewed, RepositoryError>;

    /// Takes payments that are due, oldest first, under the next fence of each: those whose owner
    /// is dead, queued ones, unknown ones. Of any number of callers at a time, each payment goes
    /// to one.
    async fn take_due(&self, take: TakeDue) -> Result<Vec<Owned>, RepositoryError>;

    /// Takes a payment that is in review, for an operator; `None` when it is not, or when somebody
    /// else has taken it.
    async fn take_reviewed(&self, take: TakeReviewed) -> Result<Option<Owned>, RepositoryError>;

    /// Leaves the payment to somebody else, if the caller still owns it.
    async fn hand_over(&self, hand_over: HandOver) -> Result<Renewed, RepositoryError>;

    /// Moves the payment to its final state and stores the answer: both, or neither. Settling
    /// again under the same fence returns what was stored.
    async fn settle(&self, settle: Box<Settle>) -> Result<Settled, RepositoryError>;
}
