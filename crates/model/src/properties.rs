//! What must always hold, numbered as the invariants in the design, and what must be reachable so
//! that holding means something.

use stateright::Property;

use crate::gateway::{Entry, Ledger, Verdict};
use crate::protocol::Protocol;
use crate::size::{AfterExpiry, Size};
use crate::state::{OpenTime, Payload, Process, RecordState, Role, State, Status, Step};
use crate::store::Decision;

/// Every property.
pub fn all(size: &Size) -> Vec<Property<Protocol>> {
    let mut properties = rules();
    properties.extend(sights());
    if size.stays_open {
        properties.extend(sights_of_open_keys());
    }
    properties
}

fn sights_of_open_keys() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes("left open for its client", |_, state| is_open(state)),
        Property::sometimes("a charge arriving while it is left open", |_, state| {
            is_open(state) && state.gateway.ledgers().iter().any(Ledger::is_charge_pending)
        }),
        Property::sometimes("voided after its client stayed away", |_, state: &State| {
            any(state, |process| process.step == Step::Void && process.role == Role::Worker)
                && state.record.is_some_and(|it| it.open == Some(OpenTime::Over))
        }),
    ]
}

fn rules() -> Vec<Property<Protocol>> {
    vec![
        Property::always("1 a key has at most one live charge", |_, state: &State| {
            state.gateway.live_charges() <= generations(state)
                && state.gateway.ledgers().iter().all(|ledger| ledger.live <= 1)
        }),
        Property::always("1 a use of a key has one payment", |_, state: &State| {
            state.payments.len() == usize::try_from(generations(state)).unwrap_or(usize::MAX)
        }),
        Property::always(
            "2 no accepted payment is left hanging",
            |model: &Protocol, state: &State| {
                state.payments.iter().all(|payment| payment.is_resolved()) || !model.is_quiet(state)
            },
        ),
        Property::always("3 a request has one answer", |_, state: &State| {
            !state.was_told_otherwise
        }),
        Property::always("3 no request sees another's answer", |_, state: &State| {
            !state.was_leaked
        }),
        Property::always("4 an answer once given or cached is stored", |_, state: &State| {
            state.told.iter().chain(&state.cache).all(|answer| is_stored(state, answer.generation))
                && is_cache_true(state)
        }),
        Property::always("5 an unsettled key never expires", |_, state: &State| {
            (0..).zip(&state.payments).all(|(id, payment)| {
                let is_final = matches!(payment.status, Status::Completed | Status::Failed);
                let is_kept =
                    state.record.is_some_and(|record| record.payment == id && !record.is_settled());
                is_final || is_kept
            })
        }),
        Property::always("5 an expired key never pays again", |model: &Protocol, state| {
            model.size.after_expiry == AfterExpiry::Reuse || generations(state) <= 1
        }),
        Property::always("6 a final status is the gateway's truth", |_, state: &State| {
            state.payments.iter().all(|payment| {
                let live: u32 = ledgers_of(state, payment.generation)
                    .map(|ledger| u32::from(ledger.live))
                    .sum();
                match payment.status {
                    Status::Completed => live == 1,
                    Status::Failed => live == 0,
                    Status::Processing | Status::NeedsReview => true,
                }
            })
        }),
    ]
}

fn sights() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes("recovered by a worker", |_, state: &State| {
            any(state, |process| {
                process.role == Role::Worker
                    && matches!(process.step, Step::Settle(_))
                    && is_current(state, process)
            })
        }),
        Property::sometimes("a stored answer replayed", |model: &Protocol, state| {
            meets(model, state, |decision| matches!(decision, Decision::Replay(_)))
        }),
        Property::sometimes("a cached answer replayed", |_, state: &State| {
            state.cache.is_some_and(|answer| {
                any(state, |process| {
                    process.role == Role::Request(answer.payload) && process.step == Step::Waiting
                })
            })
        }),
        Property::sometimes("a zombie kept out by the fence", |_, state: &State| {
            any(state, |process| {
                matches!(process.step, Step::Settle(_)) && !is_current(state, process)
            })
        }),
        Property::sometimes("a charge voided", |_, state: &State| {
            any(state, |process| process.step == Step::Settle(Verdict::Voided))
        }),
        Property::sometimes("an approval found by look-up", |_, state: &State| {
            any(state, |process| {
                matches!(process.step, Step::LookUp(_))
                    && is_current(state, process)
                    && process.claim.is_some_and(|claim| {
                        let ledger = state
                            .payment(claim.payment)
                            .map(|payment| state.gateway.ledger(payment.generation));
                        ledger.is_some_and(|ledger| ledger.entry == Entry::Approved)
                    })
            })
        }),
        Property::sometimes("a key in use", |model: &Protocol, state| {
            meets(model, state, |decision| decision == Decision::InUse)
        }),
        Property::sometimes("a mismatch", |model: &Protocol, state| {
            meets(model, state, |decision| decision == Decision::Mismatch)
        }),
        Property::sometimes("a charge arriving after its owner died", |_, state: &State| {
            !state.is_owner_alive() && state.gateway.ledgers().iter().any(Ledger::is_charge_pending)
        }),
        Property::sometimes("a void arriving after its owner died", |_, state: &State| {
            !state.is_owner_alive() && state.gateway.ledgers().iter().any(Ledger::is_void_pending)
        }),
        Property::sometimes("taken over by a retry", |_, state: &State| {
            any(state, |process| {
                process.role == Role::Request(Payload::Usual)
                    && process.claim.is_some_and(|claim| claim.fence > 1)
            })
        }),
        Property::sometimes("needs review", |_, state: &State| {
            state.payments.iter().any(|payment| payment.status == Status::NeedsReview)
        }),
        Property::sometimes("declined", |_, state: &State| {
            any(state, |process| process.step == Step::Settle(Verdict::Declined))
        }),
        Property::sometimes("approved beyond voiding", |_, state: &State| {
            state.gateway.ledgers().iter().any(|ledger| ledger.entry == Entry::Captured)
        }),
        Property::sometimes("an expired key used again", |model: &Protocol, state| {
            meets(model, state, |decision| {
                matches!(decision, Decision::Expired | Decision::NextGeneration)
            })
        }),
        Property::sometimes("a forgotten key used again", |_, state: &State| {
            state.record.is_none()
                && !state.payments.is_empty()
                && any(state, |process| process.step == Step::Waiting && is_request(process))
        }),
        Property::sometimes(
            "the gateway forgot a key that is unsettled here",
            |_, state: &State| {
                state.gateway.ledgers().iter().any(|ledger| ledger.is_forgotten)
                    && state.payments.iter().any(|payment| !payment.is_resolved())
            },
        ),
    ]
}

fn is_open(state: &State) -> bool {
    state.record.is_some_and(|record| record.state == RecordState::Open)
}

/// How many uses of the key have a payment.
fn generations(state: &State) -> u32 {
    state.payments.iter().map(|payment| u32::from(payment.generation)).max().unwrap_or(0)
}

/// What the gateway knows of one use of the key, under however many keys it was sent.
fn ledgers_of(state: &State, generation: u8) -> impl Iterator<Item = &Ledger> {
    state.gateway.ledgers().iter().filter(move |ledger| ledger.serves(generation))
}

/// Whether the answer of that use of the key is in the store, or has been and is expired.
fn is_stored(state: &State, generation: u8) -> bool {
    let told = state.told.iter().find(|answer| answer.generation == generation);
    let Some(record) = state.record else {
        // Forgotten, which only a settled record can be; the payment is not.
        return state
            .payments
            .iter()
            .any(|payment| payment.generation == generation && payment.is_resolved());
    };
    match record.state {
        _ if record.generation > generation => true,
        RecordState::Settled { answer, .. } => told.is_none_or(|told| *told == answer),
        RecordState::Purged => true,
        _ => false,
    }
}

/// Whether a cached answer is the stored one.
fn is_cache_true(state: &State) -> bool {
    state.cache.is_none_or(|cached| {
        state.record.is_some_and(|record| match record.state {
            RecordState::Settled { answer, .. } => answer == cached,
            _ => false,
        })
    })
}

fn is_request(process: &Process) -> bool {
    process.role != Role::Worker
}

fn any(state: &State, condition: impl Fn(&Process) -> bool) -> bool {
    state.processes.iter().any(condition)
}

/// Whether the process works under the record's own fence.
fn is_current(state: &State, process: &Process) -> bool {
    state.record.zip(process.claim).is_some_and(|(record, claim)| {
        record.payment == claim.payment && record.fence == claim.fence
    })
}

/// Whether a request that may open the key now would be decided about like this.
fn meets(model: &Protocol, state: &State, expected: impl Fn(Decision) -> bool) -> bool {
    let Some(record) = state.record else {
        return false;
    };
    (0..).zip(&state.processes).any(|(id, process)| match process.role {
        Role::Request(payload) if process.step == Step::Waiting => {
            expected(model.decide(state, &record, id, payload))
        }
        _ => false,
    })
}
