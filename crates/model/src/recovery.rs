//! A recovery worker: take what is due under the next fence, and pay it like any owner.

use crate::actions::Action;
use crate::mutations::Mutation;
use crate::protocol::Protocol;
use crate::state::{OpenTime, ProcessId, Record, RecordState, Role, State, Step};

impl Protocol {
    /// What a worker that owns nothing can do.
    pub(crate) fn worker_actions(
        &self,
        state: &State,
        id: ProcessId,
        step: Step,
        actions: &mut Vec<Action>,
    ) {
        let is_first_free = !state
            .processes
            .iter()
            .take(usize::from(id))
            .any(|earlier| earlier.role == Role::Worker && earlier.step == Step::Waiting);
        let is_due = state.record.is_some_and(|record| self.is_due(state, &record));
        // Free workers are alike, so the first of them takes it: nothing is lost.
        if step == Step::Waiting && is_first_free && is_due {
            actions.push(Action::Take(id));
        }
    }

    fn is_due(&self, state: &State, record: &Record) -> bool {
        match record.state {
            RecordState::Running { lease_lasts } => !lease_lasts,
            RecordState::Queued => true,
            RecordState::Open if self.breaks(Mutation::OpenIsForgotten) => false,
            // A look that finds nothing changes nothing.
            RecordState::Open => {
                record.open == Some(OpenTime::Over)
                    || state.gateway.ledger(record.generation).look_up().is_some()
            }
            RecordState::Unknown => !self.breaks(Mutation::UnknownIsForgotten),
            RecordState::InReview | RecordState::Settled { .. } | RecordState::Purged => false,
        }
    }

    pub(crate) fn take(&self, state: &mut State, id: ProcessId) -> Option<()> {
        let claim = self.take_over(state)?;
        state.process_mut(id)?.claim = Some(claim);
        let step = self.first_step_of_taker(state, id)?;
        state.process_mut(id)?.step = step;
        Some(())
    }
}
