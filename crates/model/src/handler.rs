//! A request handler: read the cache, open the key, and pay what this gave it; tell the client.

use crate::actions::Action;
use crate::mutations::Mutation;
use crate::protocol::Protocol;
use crate::state::{Answer, Payload, ProcessId, Role, State, Step};
use crate::store::{Decision, Opened};

impl Protocol {
    /// What a request that owns nothing can do.
    pub(crate) fn request_actions(
        &self,
        state: &State,
        id: ProcessId,
        payload: Payload,
        step: Step,
        actions: &mut Vec<Action>,
    ) {
        match step {
            Step::Waiting if self.is_first_to_come(state, id, payload) => {
                if state.cache.is_some() {
                    actions.push(Action::ReadCache(id));
                }
                // Also with a full cache: it may be unreachable.
                self.push_open(state, id, payload, actions);
            }
            Step::Reopen => self.push_open(state, id, payload, actions),
            Step::Insert => actions.push(Action::InsertUnchecked(id)),
            Step::Tell(answer) => {
                actions.push(Action::Tell { process: id, is_cached: false });
                if state.cache.is_none() && is_fresh(state, answer) {
                    actions.push(Action::Tell { process: id, is_cached: true });
                }
            }
            _ => {}
        }
    }

    fn push_open(&self, state: &State, id: ProcessId, payload: Payload, actions: &mut Vec<Action>) {
        actions.push(Action::Open(id));
        let commits = state.record.is_none_or(|record| {
            let decision = self.decide(state, &record, id, payload);
            matches!(decision, Decision::TakeOver | Decision::NextGeneration)
        });
        if commits && state.budget.doubts > 0 {
            actions.push(Action::CommitInDoubt(id));
        }
    }

    /// Requests of one payload are alike, so they come in their order: nothing is lost.
    fn is_first_to_come(&self, state: &State, id: ProcessId, payload: Payload) -> bool {
        !state
            .processes
            .iter()
            .take(usize::from(id))
            .any(|earlier| earlier.role == Role::Request(payload) && earlier.step == Step::Waiting)
    }

    pub(crate) fn read_cache(
        &self,
        state: &mut State,
        id: ProcessId,
        payload: Payload,
    ) -> Option<()> {
        let answer = state.cache?;
        if answer.payload == payload || self.breaks(Mutation::CacheWithoutFingerprint) {
            state.tell(payload, answer);
        }
        state.process_mut(id)?.rest();
        Some(())
    }

    pub(crate) fn open_key(
        &self,
        state: &mut State,
        id: ProcessId,
        payload: Payload,
    ) -> Option<()> {
        if state.record.is_none() && self.breaks(Mutation::CheckThenInsert) {
            state.process_mut(id)?.step = Step::Insert;
            return Some(());
        }
        let opened = self.open(state, id, payload);
        self.act_on(state, id, payload, opened)
    }

    pub(crate) fn insert_unchecked(
        &self,
        state: &mut State,
        id: ProcessId,
        payload: Payload,
    ) -> Option<()> {
        let opened = self.insert(state, id, payload, 1, 1);
        self.act_on(state, id, payload, opened)
    }

    fn act_on(
        &self,
        state: &mut State,
        id: ProcessId,
        payload: Payload,
        opened: Opened,
    ) -> Option<()> {
        match opened {
            Opened::Opened(claim) => {
                let process = state.process_mut(id)?;
                process.claim = Some(claim);
                // Opening was the announcement of the first charge.
                process.step = Step::Charge { attempt: 1 };
            }
            Opened::TakenOver(claim) => {
                state.process_mut(id)?.claim = Some(claim);
                let step = self.first_step_of_taker(state, id)?;
                state.process_mut(id)?.step = step;
            }
            Opened::Replay(answer) => {
                state.tell(payload, answer);
                state.process_mut(id)?.rest();
            }
            Opened::Refused => state.process_mut(id)?.rest(),
        }
        Some(())
    }

    pub(crate) fn tell_client(
        &self,
        state: &mut State,
        id: ProcessId,
        payload: Payload,
        is_cached: bool,
    ) -> Option<()> {
        let Step::Tell(answer) = state.process(id)?.step else {
            return None;
        };
        if is_cached {
            state.cache = Some(answer);
        }
        state.tell(payload, answer);
        state.process_mut(id)?.rest();
        Some(())
    }
}

/// Whether an answer has not expired. A cached one carries its expiry and is not read after it, so
/// that one cached too late is as good as none.
fn is_fresh(state: &State, answer: Answer) -> bool {
    state
        .record
        .is_some_and(|record| record.generation == answer.generation && !record.is_expired())
}
