//! The model as the checker sees it: where it begins, what can happen, what then is.

use stateright::{Model, Property};

use crate::actions::Action;
use crate::mutations::Mutation;
use crate::properties;
use crate::size::Size;
use crate::state::{OpenTime, Payload, Process, ProcessId, RecordState, Role, State, Step};

/// The protocol at one size, whole or with one rule switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// How much of everything there is.
    pub size: Size,
    /// The rule that is switched off.
    pub mutation: Option<Mutation>,
}

impl Protocol {
    /// Whether this rule is switched off.
    pub(crate) fn breaks(&self, rule: Mutation) -> bool {
        self.mutation == Some(rule)
    }

    /// Whether the service can get no further by itself.
    pub(crate) fn is_quiet(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        let is_waiting =
            |id| state.process(id).is_some_and(|process| process.step == Step::Waiting);
        !actions.iter().any(|action| action.is_progress(is_waiting))
    }

    fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::ReadCache(id) => self.read_cache(state, id, payload_of(state, id)?),
            Action::Open(id) => self.open_key(state, id, payload_of(state, id)?),
            Action::InsertUnchecked(id) => self.insert_unchecked(state, id, payload_of(state, id)?),
            Action::Take(id) => self.take(state, id),
            Action::LookUp(id) => self.look_up(state, id, false),
            Action::LookUpFails(id) => self.look_up(state, id, true),
            Action::Announce(id) => self.announce_charge(state, id),
            Action::Charge(id, choice) => self.charge(state, id, choice),
            Action::ChargeFails(id, fault) => self.charge_fails(state, id, fault),
            Action::IntendVoid(id) => self.intend_void(state, id),
            Action::Void(id, choice) => self.void(state, id, choice),
            Action::VoidFails(id, _) => self.void_fails(state, id),
            Action::Settle(id) => self.settle_payment(state, id),
            Action::CacheEarly(id) => self.cache_early(state, id),
            Action::HandOver(id) => self.give_up(state, id, RecordState::Unknown),
            Action::LeaveOpen(id) => self.give_up(state, id, RecordState::Open),
            Action::OpenEnds => {
                state.record.as_mut()?.open = Some(OpenTime::Over);
                Some(())
            }
            Action::Review(id) => self.give_up(state, id, RecordState::InReview),
            Action::Tell { process, is_cached } => {
                self.tell_client(state, process, payload_of(state, process)?, is_cached)
            }
            Action::CommitInDoubt(id) => self.commit_in_doubt(state, id),
            Action::Crash(id) => self.crash(state, id),
            Action::CrashAfterSend(id) => self.crash_after_send(state, id),
            Action::LeaseEnds => self.lease_ends(state),
            Action::LateCharge(key, choice) => {
                self.late_charge(state, key, choice);
                Some(())
            }
            Action::LateVoid(key, choice) => {
                self.late_void(state, key, choice);
                Some(())
            }
            Action::WindowEnds(payment) => self.window_ends(state, payment),
            Action::GatewayForgets(key) => self.gateway_forgets(state, key),
            Action::LoseCache => {
                state.budget.cache_losses = state.budget.cache_losses.checked_sub(1)?;
                state.cache = None;
                Some(())
            }
            Action::Expire => self.expire(state),
            Action::Purge => {
                state.record.as_mut()?.state = RecordState::Purged;
                Some(())
            }
            Action::Forget => {
                state.record = None;
                Some(())
            }
        }
    }
}

fn payload_of(state: &State, id: ProcessId) -> Option<Payload> {
    match state.process(id)?.role {
        Role::Request(payload) => Some(payload),
        Role::Worker => None,
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let size = &self.size;
        let group = |role, count| {
            let process = Process { role, step: Step::Waiting, claim: None };
            std::iter::repeat_n(process, usize::from(count))
        };
        let processes = group(Role::Request(Payload::Usual), size.requests)
            .chain(group(Role::Request(Payload::Other), size.others))
            .chain(group(Role::Worker, size.workers))
            .collect();
        vec![State {
            record: None,
            payments: Vec::new(),
            gateway: crate::gateway::Gateway::default(),
            cache: None,
            processes,
            told: Vec::new(),
            was_told_otherwise: false,
            was_leaked: false,
            budget: size.budget,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (id, process) in (0..).zip(&state.processes) {
            match process.role {
                Role::Request(payload) => {
                    self.request_actions(state, id, payload, process.step, actions);
                }
                Role::Worker => self.worker_actions(state, id, process.step, actions),
            }
            self.owner_actions(state, id, process.step, actions);
        }
        self.surroundings(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.apply(&mut next, action)?;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(&self.size)
    }
}
