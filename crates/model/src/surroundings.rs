//! What happens to the processes from outside: crashes, pauses, late messages, time, lost caches,
//! the sweep.

use crate::actions::Action;
use crate::gateway::{Choice, Entry};
use crate::mutations::Mutation;
use crate::protocol::Protocol;
use crate::state::{OpenTime, PaymentId, ProcessId, RecordState, Role, State, Step};

impl Protocol {
    pub(crate) fn surroundings(&self, state: &State, actions: &mut Vec<Action>) {
        self.crashes(state, actions);
        self.late_messages(state, actions);
        self.passing_time(state, actions);
        if state.cache.is_some() && state.budget.cache_losses > 0 {
            actions.push(Action::LoseCache);
        }
        self.sweep(state, actions);
    }

    fn crashes(&self, state: &State, actions: &mut Vec<Action>) {
        if state.budget.crashes == 0 {
            return;
        }
        for (id, process) in (0..).zip(&state.processes) {
            if process.is_busy() {
                actions.push(Action::Crash(id));
            }
            if matches!(process.step, Step::Charge { .. } | Step::Void) {
                actions.push(Action::CrashAfterSend(id));
            }
        }
    }

    fn late_messages(&self, state: &State, actions: &mut Vec<Action>) {
        for ledger in state.gateway.ledgers() {
            if ledger.is_charge_pending() {
                let choices = ledger.charge_choices().iter();
                actions.extend(choices.map(|choice| Action::LateCharge(ledger.key, *choice)));
            }
            if ledger.is_void_pending() {
                let choices = ledger.void_choices().iter();
                actions.extend(choices.map(|choice| Action::LateVoid(ledger.key, *choice)));
            }
        }
    }

    fn passing_time(&self, state: &State, actions: &mut Vec<Action>) {
        if let Some(record) = state.record
            && record.state == (RecordState::Running { lease_lasts: true })
            && (state.budget.pauses > 0 || !state.is_owner_alive())
        {
            actions.push(Action::LeaseEnds);
        }
        let is_open = |record: crate::state::Record| {
            record.state == RecordState::Open && record.open == Some(OpenTime::Lasts)
        };
        if state.record.is_some_and(is_open) {
            actions.push(Action::OpenEnds);
        }
        for (id, payment) in (0..).zip(&state.payments) {
            // Once it is resolved and nobody works on it, its window matters to nobody.
            let is_worked_on = state
                .processes
                .iter()
                .any(|process| process.claim.is_some_and(|claim| claim.payment == id));
            if payment.is_resolved() && !is_worked_on {
                continue;
            }
            let ledgers =
                || state.gateway.ledgers().iter().filter(|it| it.serves(payment.generation));
            let travels = ledgers().any(|ledger| ledger.charge_travels);
            if !payment.is_window_over && (payment.is_announced || travels) {
                actions.push(Action::WindowEnds(id));
            }
            if payment.is_window_over {
                let keys = ledgers().filter(|ledger| {
                    !ledger.is_forgotten && !matches!(ledger.entry, Entry::None | Entry::Voided)
                });
                actions.extend(keys.map(|ledger| Action::GatewayForgets(ledger.key)));
            }
        }
    }

    fn sweep(&self, state: &State, actions: &mut Vec<Action>) {
        let Some(record) = state.record else {
            return;
        };
        let is_abandoned = matches!(
            record.state,
            RecordState::Open | RecordState::Unknown | RecordState::Running { lease_lasts: false }
        );
        if self.breaks(Mutation::SweepOfUnsettled) && is_abandoned {
            actions.push(Action::Forget);
        }
        if !self.size.expires {
            return;
        }
        match record.state {
            // One reuse of a key shows what there is to see.
            RecordState::Settled { is_expired: false, .. } if record.generation == 1 => {
                actions.push(Action::Expire);
            }
            RecordState::Settled { is_expired: true, .. } => actions.push(Action::Purge),
            RecordState::Purged => actions.push(Action::Forget),
            _ => {}
        }
    }

    pub(crate) fn crash(&self, state: &mut State, id: ProcessId) -> Option<()> {
        state.budget.crashes = state.budget.crashes.checked_sub(1)?;
        state.process_mut(id)?.rest();
        Some(())
    }

    pub(crate) fn crash_after_send(&self, state: &mut State, id: ProcessId) -> Option<()> {
        match state.process(id)?.step {
            Step::Charge { .. } => self.send_charge(state, id)?,
            Step::Void => self.send_void(state, id)?,
            _ => return None,
        }
        self.crash(state, id)
    }

    /// The commit of the process's next step is made, and the process will make it again.
    pub(crate) fn commit_in_doubt(&self, state: &mut State, id: ProcessId) -> Option<()> {
        state.budget.doubts = state.budget.doubts.checked_sub(1)?;
        let before = *state.process(id)?;
        match before.step {
            Step::Waiting | Step::Reopen => {
                let Role::Request(payload) = before.role else {
                    return None;
                };
                self.open_key(state, id, payload)?;
                *state.process_mut(id)? = before;
                state.process_mut(id)?.step = Step::Reopen;
                return Some(());
            }
            Step::Announce { .. } => self.announce_charge(state, id)?,
            Step::IntendVoid => self.intend_void(state, id)?,
            Step::Settle(_) => self.settle_payment(state, id)?,
            Step::HandOver => self.give_up(state, id, RecordState::Unknown)?,
            Step::LeaveOpen => self.give_up(state, id, RecordState::Open)?,
            _ => return None,
        }
        *state.process_mut(id)? = before;
        Some(())
    }

    pub(crate) fn lease_ends(&self, state: &mut State) -> Option<()> {
        if state.is_owner_alive() {
            state.budget.pauses = state.budget.pauses.checked_sub(1)?;
        }
        state.record.as_mut()?.state = RecordState::Running { lease_lasts: false };
        Some(())
    }

    pub(crate) fn window_ends(&self, state: &mut State, payment: PaymentId) -> Option<()> {
        state.payment_mut(payment)?.is_window_over = true;
        Some(())
    }

    /// More than an hour after our window: nothing that was sent is still on its way, and the
    /// lease of every announcement made inside the window is over, so that nobody sends on it.
    pub(crate) fn gateway_forgets(&self, state: &mut State, key: u8) -> Option<()> {
        let ledger = state.gateway.update(key, |ledger| {
            ledger.is_forgotten = true;
            ledger.charge_travels = false;
            *ledger
        });
        let sends_regardless = self.breaks(Mutation::UnannouncedResend);
        let payments = &state.payments;
        for process in &mut state.processes {
            let payment = process.claim.and_then(|claim| payments.get(usize::from(claim.payment)));
            if let Step::Charge { attempt } = process.step
                && payment.is_some_and(|payment| ledger.serves(payment.generation))
                && !(sends_regardless && attempt > 1)
            {
                process.step = Step::HandOver;
            }
        }
        Some(())
    }

    pub(crate) fn late_charge(&self, state: &mut State, key: u8, choice: Choice) {
        state.gateway.update(key, |ledger| ledger.charge(choice));
    }

    pub(crate) fn late_void(&self, state: &mut State, key: u8, choice: Choice) {
        state.gateway.update(key, |ledger| ledger.void(choice));
    }

    /// The stored answer and its copies stop being replayed at the same time.
    pub(crate) fn expire(&self, state: &mut State) -> Option<()> {
        if let RecordState::Settled { is_expired, .. } = &mut state.record.as_mut()?.state {
            *is_expired = true;
        }
        state.cache = None;
        Some(())
    }
}
