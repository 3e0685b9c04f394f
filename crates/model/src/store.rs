//! The store's transactions, each one atomic: what `claim_again`, `renew`, `hand_over` and
//! `settle` of the domain's record decide, and the payment's constraint that outlives the record.

use crate::mutations::Mutation;
use crate::protocol::Protocol;
use crate::size::AfterExpiry;
use crate::state::{
    Answer, Claim, OpenTime, Payload, Payment, PaymentId, ProcessId, Record, RecordState, State,
    Status,
};

/// What a record decides about a further request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This very request opened it: the first commit's outcome was in doubt.
    AlreadyOurs,
    /// The owner is dead: the same payment, the next fence.
    TakeOver,
    /// Expired, and reused: the next generation.
    NextGeneration,
    /// The stored answer.
    Replay(Answer),
    /// Another request under the same key.
    Mismatch,
    /// Somebody works on it.
    InUse,
    /// Accepted, and not this request's to take.
    Pending,
    /// Final, and no longer replayed.
    Expired,
}

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The caller owns a payment that its opening has announced.
    Opened(Claim),
    /// The caller owns a payment that somebody else opened.
    TakenOver(Claim),
    /// The stored answer.
    Replay(Answer),
    /// Anything that ends the request without a final answer.
    Refused,
}

/// The caller is not the owner any more; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FenceLost;

impl Protocol {
    /// What the locked record decides, in the order of `claim_again`.
    pub fn decide(
        &self,
        state: &State,
        record: &Record,
        request: ProcessId,
        payload: Payload,
    ) -> Decision {
        if record.is_expired() {
            let reuses = self.size.after_expiry == AfterExpiry::Reuse
                || self.breaks(Mutation::ExpiredKeyPaysAgain);
            return if reuses { Decision::NextGeneration } else { Decision::Expired };
        }
        if record.payload != payload {
            return Decision::Mismatch;
        }
        let opened_by = state.payment(record.payment).map(|payment| payment.opened_by);
        match record.state {
            RecordState::Settled { answer, .. } => Decision::Replay(answer),
            RecordState::Running { .. }
                if opened_by == Some(request) && record.fence == record.opening_fence =>
            {
                Decision::AlreadyOurs
            }
            RecordState::Running { lease_lasts: true } => Decision::InUse,
            RecordState::Running { lease_lasts: false } | RecordState::Open => Decision::TakeOver,
            RecordState::Queued
            | RecordState::Unknown
            | RecordState::InReview
            | RecordState::Purged => Decision::Pending,
        }
    }

    /// Inserts the key if it is absent, together with its payment; else the record decides.
    pub fn open(&self, state: &mut State, request: ProcessId, payload: Payload) -> Opened {
        let Some(record) = state.record else {
            // The record may be forgotten, its payment never is: the insert meets the constraint.
            if state.payments.iter().any(|payment| payment.generation == 1) {
                return Opened::Refused;
            }
            return self.insert(state, request, payload, 1, 1);
        };
        let decision = self.decide(state, &record, request, payload);
        let claim = Claim { payment: record.payment, fence: record.fence };
        match decision {
            Decision::AlreadyOurs => {
                renew_lease(state);
                Opened::Opened(claim)
            }
            Decision::TakeOver => match self.take_over(state) {
                Some(claim) => {
                    if let Some(record) = state.record.as_mut() {
                        record.open = None;
                    }
                    Opened::TakenOver(claim)
                }
                None => Opened::Refused,
            },
            Decision::NextGeneration => {
                let generation = record.generation.saturating_add(1);
                // A payment's id is its request's candidate, and taken once that has opened one.
                let is_taken = |payment: &Payment| {
                    payment.generation == generation || payment.opened_by == request
                };
                if state.payments.iter().any(is_taken) {
                    return Opened::Refused;
                }
                self.insert(state, request, payload, generation, record.fence.saturating_add(1))
            }
            Decision::Replay(answer) if self.breaks(Mutation::ReplaySpelledAnew) => {
                // 100 is no fence: these bytes are nobody's.
                Opened::Replay(Answer { stamp: request.saturating_add(100), ..answer })
            }
            Decision::Replay(answer) => Opened::Replay(answer),
            Decision::Mismatch | Decision::InUse | Decision::Pending | Decision::Expired => {
                Opened::Refused
            }
        }
    }

    /// Writes the record of a new use of the key, and its payment.
    pub fn insert(
        &self,
        state: &mut State,
        request: ProcessId,
        payload: Payload,
        generation: u8,
        fence: u8,
    ) -> Opened {
        let payment = PaymentId::try_from(state.payments.len()).unwrap_or(PaymentId::MAX);
        let is_queued = self.size.is_queued;
        state.payments.push(Payment {
            generation,
            opened_by: request,
            status: Status::Processing,
            is_announced: !is_queued && !self.breaks(Mutation::NoAnnouncement),
            is_void_intended: false,
            is_window_over: false,
        });
        state.record = Some(Record {
            generation,
            payment,
            payload,
            fence,
            opening_fence: fence,
            open: None,
            state: if is_queued {
                RecordState::Queued
            } else {
                RecordState::Running { lease_lasts: true }
            },
        });
        if is_queued { Opened::Refused } else { Opened::Opened(Claim { payment, fence }) }
    }

    /// Takes the payment of the record under the next fence.
    pub fn take_over(&self, state: &mut State) -> Option<Claim> {
        let record = state.record.as_mut()?;
        if !self.breaks(Mutation::TakeOverKeepsFence) {
            record.fence = record.fence.saturating_add(1);
        }
        record.state = RecordState::Running { lease_lasts: true };
        Some(Claim { payment: record.payment, fence: record.fence })
    }

    /// Commits that a send follows, and renews the lease.
    pub fn announce(
        &self,
        state: &mut State,
        claim: Claim,
        is_void: bool,
    ) -> Result<(), FenceLost> {
        check_owner(state, claim)?;
        renew_lease(state);
        if let Some(payment) = state.payment_mut(claim.payment) {
            payment.is_announced |= !is_void && !self.breaks(Mutation::NoAnnouncement);
            payment.is_void_intended |= is_void && !self.breaks(Mutation::UncommittedVoidIntention);
        }
        Ok(())
    }

    /// Leaves the payment to recovery (or to an operator). Doing so again changes nothing.
    pub fn hand_over(
        &self,
        state: &mut State,
        claim: Claim,
        to: RecordState,
    ) -> Result<(), FenceLost> {
        let is_done = |record: Record| {
            record.payment == claim.payment && record.fence == claim.fence && record.state == to
        };
        if state.record.is_some_and(is_done) {
            return Ok(());
        }
        check_owner(state, claim)?;
        if let Some(record) = state.record.as_mut() {
            record.state = to;
            if to == RecordState::Open {
                record.open.get_or_insert(OpenTime::Lasts);
            }
        }
        if to == RecordState::InReview
            && let Some(payment) = state.payment_mut(claim.payment)
        {
            payment.status = Status::NeedsReview;
        }
        Ok(())
    }

    /// Stores the final state and the answer: both, or neither. Settling again under the same
    /// fence returns what was stored.
    pub fn settle(
        &self,
        state: &mut State,
        claim: Claim,
        status: Status,
        answer: Answer,
    ) -> Result<Answer, FenceLost> {
        let owner = check_owner(state, claim);
        if !self.breaks(Mutation::SettleWithoutFence) {
            let stored = state.record.and_then(|record| match record.state {
                RecordState::Settled { answer, .. }
                    if record.payment == claim.payment && record.fence == claim.fence =>
                {
                    Some(answer)
                }
                _ => None,
            });
            if let Some(stored) = stored {
                return Ok(stored);
            }
            owner?;
        }
        if let Some(record) = state.record.as_mut() {
            record.state = RecordState::Settled { answer, is_expired: false };
        }
        if let Some(payment) = state.payment_mut(claim.payment) {
            payment.status = status;
        }
        Ok(answer)
    }
}

fn check_owner(state: &State, claim: Claim) -> Result<(), FenceLost> {
    match state.record {
        Some(Record { payment, fence, state: RecordState::Running { .. }, .. })
            if payment == claim.payment && fence == claim.fence =>
        {
            Ok(())
        }
        _ => Err(FenceLost),
    }
}

fn renew_lease(state: &mut State) {
    if let Some(record) = state.record.as_mut() {
        record.state = RecordState::Running { lease_lasts: true };
    }
}
