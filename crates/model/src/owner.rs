//! Whoever owns a payment: the steps from looking up to settling, the same for a request and for
//! a worker, in the order of the domain's `PayPayment`.

use crate::actions::{Action, Fault};
use crate::gateway::{Choice, KEYS_OF_A_GENERATION, Verdict};
use crate::mutations::Mutation;
use crate::protocol::Protocol;
use crate::state::{
    Answer, Claim, LookUp, OpenTime, Payment, ProcessId, RecordState, Role, State, Status, Step,
};
use crate::store::FenceLost;

impl Protocol {
    /// What an owner, or one that believes to be it, can do.
    pub(crate) fn owner_actions(
        &self,
        state: &State,
        id: ProcessId,
        step: Step,
        actions: &mut Vec<Action>,
    ) {
        let Some((claim, payment)) = state.owned(id) else {
            return;
        };
        let ledger = state.gateway.ledger(self.gateway_key(claim, &payment));
        let may_fail = state.budget.faults > 0;
        match step {
            Step::LookUp(_) => {
                actions.push(Action::LookUp(id));
                if may_fail && ledger.look_up().is_some() {
                    actions.push(Action::LookUpFails(id));
                }
            }
            Step::Announce { .. } => actions.push(Action::Announce(id)),
            Step::Charge { .. } => {
                let choices = ledger.charge_choices().iter();
                actions.extend(choices.map(|choice| Action::Charge(id, *choice)));
                if may_fail {
                    actions.push(Action::ChargeFails(id, Fault::Timeout));
                    actions.push(Action::ChargeFails(id, Fault::ServerError));
                }
            }
            Step::IntendVoid => actions.push(Action::IntendVoid(id)),
            Step::Void => {
                let choices = ledger.void_choices().iter();
                actions.extend(choices.map(|choice| Action::Void(id, *choice)));
                if may_fail {
                    actions.push(Action::VoidFails(id, Fault::Timeout));
                    actions.push(Action::VoidFails(id, Fault::ServerError));
                }
            }
            Step::Settle(_) => {
                actions.push(Action::Settle(id));
                if self.breaks(Mutation::CacheBeforeCommit) && state.cache.is_none() {
                    actions.push(Action::CacheEarly(id));
                }
            }
            Step::HandOver => {
                actions.push(Action::HandOver(id));
                // The limit is longer than the window, so review comes only after it.
                if payment.is_past_window() {
                    actions.push(Action::Review(id));
                }
            }
            Step::LeaveOpen => actions.push(Action::LeaveOpen(id)),
            Step::Waiting | Step::Insert | Step::Reopen | Step::Tell(_) | Step::Over => {}
        }
        let commits = matches!(
            step,
            Step::Announce { .. }
                | Step::IntendVoid
                | Step::Settle(_)
                | Step::HandOver
                | Step::LeaveOpen
        );
        // In doubt is worth a thought only where the commit was made.
        let is_current = state.record.is_some_and(|record| {
            record.fence == claim.fence && matches!(record.state, RecordState::Running { .. })
        });
        if commits && is_current && state.budget.doubts > 0 {
            actions.push(Action::CommitInDoubt(id));
        }
    }

    /// The gateway key is derived from the key and its generation: whoever sends, sends the same.
    pub(crate) fn gateway_key(&self, claim: Claim, payment: &Payment) -> u8 {
        if self.breaks(Mutation::FreshGatewayKey) {
            return payment
                .generation
                .saturating_mul(KEYS_OF_A_GENERATION)
                .saturating_add(claim.fence);
        }
        payment.generation
    }

    /// Where somebody begins who did not open the payment.
    pub(crate) fn first_step_of_taker(&self, state: &State, id: ProcessId) -> Option<Step> {
        let (_, payment) = state.owned(id)?;
        if payment.is_void_intended {
            return Some(if self.breaks(Mutation::LookUpAfterVoidIntention) {
                Step::LookUp(LookUp::Last)
            } else if self.breaks(Mutation::ResendAfterVoidIntention) {
                Step::Announce { attempt: 1 }
            } else {
                Step::IntendVoid
            });
        }
        Some(if payment.is_announced {
            Step::LookUp(LookUp::First)
        } else {
            self.first_attempt(state, id)?
        })
    }

    /// The first announcement, or what is left to do outside the window.
    fn first_attempt(&self, state: &State, id: ProcessId) -> Option<Step> {
        let (_, payment) = state.owned(id)?;
        if payment.is_past_window() && !self.breaks(Mutation::ResendOutsideWindow) {
            return Some(self.instead_of_sending(state, id));
        }
        Some(Step::Announce { attempt: 1 })
    }

    /// A worker voids; a request leaves it to the workers.
    fn instead_of_sending(&self, state: &State, id: ProcessId) -> Step {
        match state.process(id).map(|process| process.role) {
            Some(Role::Worker) => Step::IntendVoid,
            _ => Step::HandOver,
        }
    }

    pub(crate) fn look_up(&self, state: &mut State, id: ProcessId, fails: bool) -> Option<()> {
        let (claim, payment) = state.owned(id)?;
        let Step::LookUp(when) = state.process(id)?.step else {
            return None;
        };
        let found = if fails {
            state.budget.faults = state.budget.faults.checked_sub(1)?;
            None
        } else {
            state.gateway.ledger(self.gateway_key(claim, &payment)).look_up()
        };
        let step = match (found, when) {
            (Some(verdict), _) => Step::Settle(verdict),
            (None, _) if !fails && self.breaks(Mutation::NotFoundMeansFailed) => {
                Step::Settle(Verdict::Voided)
            }
            (None, LookUp::First) => match state.record.and_then(|record| record.open) {
                None => self.first_attempt(state, id)?,
                Some(OpenTime::Lasts) if !payment.is_past_window() => Step::LeaveOpen,
                Some(OpenTime::Over) if !payment.is_past_window() => Step::IntendVoid,
                Some(_) => self.instead_of_sending(state, id),
            },
            (None, LookUp::Last) if !self.size.stays_open => Step::IntendVoid,
            (None, LookUp::Last) if payment.is_past_window() => Step::HandOver,
            (None, LookUp::Last) => Step::LeaveOpen,
        };
        state.process_mut(id)?.step = step;
        Some(())
    }

    pub(crate) fn announce_charge(&self, state: &mut State, id: ProcessId) -> Option<()> {
        let (claim, payment) = state.owned(id)?;
        let Step::Announce { attempt } = state.process(id)?.step else {
            return None;
        };
        let is_unchecked = self.breaks(Mutation::ResendOutsideWindow)
            || (attempt > 1 && self.breaks(Mutation::WindowCheckedOncePerRound));
        if payment.is_past_window() && !is_unchecked {
            let step = self.instead_of_sending(state, id);
            state.process_mut(id)?.step = step;
            return Some(());
        }
        match self.announce(state, claim, false) {
            Ok(()) => state.process_mut(id)?.step = Step::Charge { attempt },
            Err(FenceLost) => self.lose_fence(state, id)?,
        }
        Some(())
    }

    /// The charge leaves; from now on it may also arrive at any later time.
    pub(crate) fn send_charge(&self, state: &mut State, id: ProcessId) -> Option<()> {
        let (claim, payment) = state.owned(id)?;
        let key = self.gateway_key(claim, &payment);
        state.gateway.update(key, |ledger| ledger.charge_travels = true);
        Some(())
    }

    pub(crate) fn charge(&self, state: &mut State, id: ProcessId, choice: Choice) -> Option<()> {
        self.send_charge(state, id)?;
        let (claim, payment) = state.owned(id)?;
        let key = self.gateway_key(claim, &payment);
        let verdict = state.gateway.update(key, |ledger| ledger.charge(choice));
        if self.breaks(Mutation::AnswerBeforeCommit)
            && let Role::Request(payload) = state.process(id)?.role
        {
            state.tell(payload, self.answer(state, claim, &payment, verdict)?);
        }
        state.process_mut(id)?.step = Step::Settle(verdict);
        Some(())
    }

    pub(crate) fn charge_fails(
        &self,
        state: &mut State,
        id: ProcessId,
        fault: Fault,
    ) -> Option<()> {
        let Step::Charge { attempt } = state.process(id)?.step else {
            return None;
        };
        state.budget.faults = state.budget.faults.checked_sub(1)?;
        self.send_charge(state, id)?;
        let is_believed = match fault {
            Fault::Timeout => self.breaks(Mutation::TimeoutMeansFailed),
            Fault::ServerError => self.breaks(Mutation::ServerErrorMeansNotExecuted),
        };
        let next = attempt.saturating_add(1);
        state.process_mut(id)?.step = if is_believed {
            Step::Settle(Verdict::Voided)
        } else if attempt >= self.size.attempts {
            Step::LookUp(LookUp::Last)
        } else if self.breaks(Mutation::UnannouncedResend) {
            Step::Charge { attempt: next }
        } else {
            Step::Announce { attempt: next }
        };
        Some(())
    }

    pub(crate) fn intend_void(&self, state: &mut State, id: ProcessId) -> Option<()> {
        let (claim, _) = state.owned(id)?;
        match self.announce(state, claim, true) {
            Ok(()) => state.process_mut(id)?.step = Step::Void,
            Err(FenceLost) => self.lose_fence(state, id)?,
        }
        Some(())
    }

    /// The void leaves; from now on it may also arrive at any later time.
    pub(crate) fn send_void(&self, state: &mut State, id: ProcessId) -> Option<()> {
        let (claim, payment) = state.owned(id)?;
        let key = self.gateway_key(claim, &payment);
        state.gateway.update(key, |ledger| ledger.void_travels = true);
        Some(())
    }

    pub(crate) fn void(&self, state: &mut State, id: ProcessId, choice: Choice) -> Option<()> {
        self.send_void(state, id)?;
        let (claim, payment) = state.owned(id)?;
        let key = self.gateway_key(claim, &payment);
        let verdict = state.gateway.update(key, |ledger| ledger.void(choice));
        state.process_mut(id)?.step = Step::Settle(verdict);
        Some(())
    }

    pub(crate) fn void_fails(&self, state: &mut State, id: ProcessId) -> Option<()> {
        state.budget.faults = state.budget.faults.checked_sub(1)?;
        self.send_void(state, id)?;
        state.process_mut(id)?.step = if self.breaks(Mutation::UnconfirmedVoidMeansFailed) {
            Step::Settle(Verdict::Voided)
        } else {
            Step::HandOver
        };
        Some(())
    }

    /// The answer that an owner would store.
    fn answer(
        &self,
        state: &State,
        claim: Claim,
        payment: &Payment,
        verdict: Verdict,
    ) -> Option<Answer> {
        let payload = match state.process(payment.opened_by)?.role {
            Role::Request(payload) => payload,
            Role::Worker => return None,
        };
        Some(Answer { payload, generation: payment.generation, verdict, stamp: claim.fence })
    }

    pub(crate) fn settle_payment(&self, state: &mut State, id: ProcessId) -> Option<()> {
        let (claim, payment) = state.owned(id)?;
        let Step::Settle(verdict) = state.process(id)?.step else {
            return None;
        };
        let status = match verdict {
            Verdict::Completed => Status::Completed,
            Verdict::Declined | Verdict::Voided => Status::Failed,
        };
        let answer = self.answer(state, claim, &payment, verdict)?;
        match self.settle(state, claim, status, answer) {
            Ok(stored) => {
                let process = state.process_mut(id)?;
                process.rest();
                if process.role != Role::Worker {
                    process.step = Step::Tell(stored);
                }
            }
            Err(FenceLost) => self.lose_fence(state, id)?,
        }
        Some(())
    }

    pub(crate) fn cache_early(&self, state: &mut State, id: ProcessId) -> Option<()> {
        let (claim, payment) = state.owned(id)?;
        let Step::Settle(verdict) = state.process(id)?.step else {
            return None;
        };
        state.cache = self.answer(state, claim, &payment, verdict);
        Some(())
    }

    pub(crate) fn give_up(&self, state: &mut State, id: ProcessId, to: RecordState) -> Option<()> {
        let (claim, _) = state.owned(id)?;
        match self.hand_over(state, claim, to) {
            Ok(()) => {
                let process = state.process_mut(id)?;
                let is_request = process.role != Role::Worker;
                process.rest();
                if is_request && self.breaks(Mutation::DeleteKeyOnUnknown) {
                    state.record = None;
                }
            }
            Err(FenceLost) => self.lose_fence(state, id)?,
        }
        Some(())
    }

    /// Somebody else has taken over: a request reads what they made of it, a worker goes on.
    fn lose_fence(&self, state: &mut State, id: ProcessId) -> Option<()> {
        let process = state.process_mut(id)?;
        process.rest();
        if process.role != Role::Worker {
            process.step = Step::Reopen;
        }
        Some(())
    }
}
