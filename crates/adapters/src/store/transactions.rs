//! The protocol's transactions: load the row under its lock, let the domain decide, save.
//!
//! Each function is the body of one transaction and holds nothing once it returns, so that it
//! does not matter whether a call runs in a transaction of its own or among others. Lock order
//! everywhere: idempotency record, payment, events.

use payonce_domain::idempotency::{
    Claim, Fence, Generation, IdempotencyRecord, RecordId, RecordState, Subject, differing_fields,
};
use payonce_domain::payment::{Actor, EventKind, NewEvent, Payment, PaymentId, Timeline};
use payonce_domain::ports::{
    HandOver, HandOverTo, LeaseRenewal, OpenPayment, Opened, Owned, OwnedBy, Renewed, Settle,
    Settled, Sweep, Swept, TakeDue, TakeReviewed,
};
use payonce_domain::sabotage::{Rule, is_broken};
use time::OffsetDateTime;

use super::ending::Ending;
use super::error::StoreError;
use super::rows::{PaymentRow, RecordRow};
use super::statements::Statements;
use super::timeline::EventRow;
use super::values::SqlTime;

/// Inserts the key if it is absent, together with its payment; else lets the record decide.
pub fn open(store: &mut impl Statements, call: &OpenPayment) -> Result<Opened, StoreError> {
    // A sweep may forget the record between the two statements; then the key is free again.
    loop {
        let now = store.now()?;
        let record = call.record(now);
        if store.insert_record_if_absent(&RecordRow::from(&record))? {
            return begin(store, call, &record, now);
        }
        if let Some(row) = store.lock_record(&call.record)? {
            return decide(store, call, row);
        }
    }
}

/// Inserts the payment of a record that this call has just opened.
fn begin(
    store: &mut impl Statements,
    call: &OpenPayment,
    record: &IdempotencyRecord,
    now: OffsetDateTime,
) -> Result<Opened, StoreError> {
    let mut record = record.clone();
    let mut payment = call.payment(record.generation, now);
    if store.insert_payment(&PaymentRow::from(&payment).opened_by(record.fence))? == 0 {
        // The key was forgotten and its payments are not: this is their next generation.
        record.generation = generation_after_forgotten(store, &record)?;
        store.save_record(&RecordRow::from(&record))?;
        payment = call.payment(record.generation, now);
        if store.insert_payment(&PaymentRow::from(&payment).opened_by(record.fence))? == 0 {
            let place = format!("payments.id {}", payment.id);
            return Err(StoreError::inconsistent(place, "the id of a new payment is taken"));
        }
    }
    let record = &record;
    if call.queued {
        return Ok(Opened::Pending(Box::new(payment)));
    }
    Ok(owned(payment, record, OwnedBy::Opening, now))
}

/// The generation behind the payments of a key that was forgotten. Only final payments' keys are
/// ever forgotten: with one under way, another could pay twice.
fn generation_after_forgotten(
    store: &mut impl Statements,
    record: &IdempotencyRecord,
) -> Result<Generation, StoreError> {
    let newest = store.newest_payment(&record.id)?.map(Payment::try_from).transpose()?;
    match newest {
        Some(newest) if newest.is_final() => Ok(newest.generation.next()),
        Some(newest) => Err(StoreError::inconsistent(
            format!("payment_states.status of payment {}", newest.id),
            "a payment under way has lost its idempotency record",
        )),
        None => Err(StoreError::inconsistent(
            format!("payments.id {}", record.payment_id),
            "the id of a new payment is taken",
        )),
    }
}

/// Lets a locked record decide about a further call.
fn decide(
    store: &mut impl Statements,
    call: &OpenPayment,
    row: RecordRow,
) -> Result<Opened, StoreError> {
    let mut record = IdempotencyRecord::try_from(row)?;
    let before = record.clone();
    let now = store.now()?;
    let payment = match record.subject {
        Subject::Payment => Some(load_payment(store, &record)?),
        Subject::Opaque => None,
    };
    let may_take_over = payment.as_ref().is_some_and(|known| known.gateway == call.gateway);
    let terms = call.claim_terms(may_take_over);
    let claim = record.claim_again(&terms, now);
    if claim == Claim::NextGeneration {
        record.state = call.first_state(now);
    }
    if record != before {
        store.save_record(&RecordRow::from(&record))?;
    }
    if claim == Claim::NextGeneration {
        return begin(store, call, &record, now);
    }
    let Some(payment) = payment else {
        return about_opaque(claim, &record);
    };
    Ok(match claim {
        Claim::AlreadyOurs => owned(payment, &record, OwnedBy::Opening, now),
        Claim::TakenOver => {
            let event = call.taken_over_event(record.fence);
            append(store, &record.id, payment.id, &[event], now)?;
            owned(payment, &record, OwnedBy::TakeOver, now)
        }
        Claim::NextGeneration => return begin(store, call, &record, now),
        Claim::Replay(answer) => Opened::Replay(answer),
        Claim::Mismatch => Opened::Mismatch {
            payment: Some(payment.id),
            fields: differing_fields(&payment.request.fields(), &call.request.fields()),
        },
        Claim::InUse { lease_left } => Opened::InUse { payment: payment.id, lease_left },
        Claim::Pending => Opened::Pending(Box::new(payment)),
        Claim::Expired => Opened::Expired { payment: Some(payment.id) },
        Claim::UnknownFingerprintVersion => Opened::UnknownFingerprintVersion,
    })
}

/// What a call for a payment is told of a key that stands for none.
fn about_opaque(claim: Claim, record: &IdempotencyRecord) -> Result<Opened, StoreError> {
    Ok(match claim {
        Claim::Mismatch => Opened::Mismatch { payment: None, fields: vec!["operation"] },
        Claim::Expired => Opened::Expired { payment: None },
        Claim::UnknownFingerprintVersion => Opened::UnknownFingerprintVersion,
        _ => {
            let place = format!("idempotency_records.subject of {}", record.payment_id);
            return Err(StoreError::inconsistent(place, "it has a payment's fingerprint"));
        }
    })
}

/// Commits that a send follows.
pub fn renew(store: &mut impl Statements, call: &LeaseRenewal) -> Result<Renewed, StoreError> {
    let Some(mut record) = lock_owned(store, &call.record, call.payment)? else {
        return Ok(Renewed::FenceLost);
    };
    let now = store.now()?;
    if record.renew(call.fence, call.lease, now).is_err() {
        return Ok(Renewed::FenceLost);
    }
    store.save_record(&RecordRow::from(&record))?;
    let attempts = i32::try_from(call.attempts).unwrap_or(i32::MAX);
    store.note_send(call, attempts, SqlTime::truncated(now))?;
    if call.void_intended {
        store.note_void_intention(call, SqlTime::truncated(now))?;
    }
    append(store, &call.record, call.payment, &call.events, now)?;
    Ok(Renewed::Granted)
}

/// Takes what is due, each under its next fence. Rows that another caller holds are passed over.
pub fn take_due(store: &mut impl Statements, call: &TakeDue) -> Result<Vec<Owned>, StoreError> {
    let now = store.now()?;
    let mut taken = Vec::new();
    for row in store.lock_due_records(call, SqlTime::truncated(now))? {
        let mut record = IdempotencyRecord::try_from(row)?;
        let payment = load_payment(store, &record)?;
        if !record.take_due(call.lease, now) {
            continue;
        }
        store.save_record(&RecordRow::from(&record))?;
        let event = Timeline::opening(record.fence, Actor::Recovery, EventKind::TakenOver);
        append(store, &record.id, payment.id, &[event], now)?;
        taken.push(Owned {
            payment,
            fence: record.fence,
            request_id: record.request_id,
            fingerprint: record.fingerprint,
            by: OwnedBy::Recovery,
            open_until: record.open_until,
            now,
        });
    }
    Ok(taken)
}

/// Takes a payment that is in review.
pub fn take_reviewed(
    store: &mut impl Statements,
    call: &TakeReviewed,
) -> Result<Option<Owned>, StoreError> {
    let Some(mut record) = lock_owned(store, &call.record, call.payment)? else {
        return Ok(None);
    };
    let now = store.now()?;
    if !record.take_in_review(call.lease, now) {
        return Ok(None);
    }
    store.save_record(&RecordRow::from(&record))?;
    let event = NewEvent {
        detail: Some(call.note.clone()),
        ..Timeline::opening(record.fence, Actor::Operator, EventKind::TakenOver)
    };
    append(store, &record.id, call.payment, &[event], now)?;
    let payment = load_payment(store, &record)?;
    let IdempotencyRecord { fence, request_id, fingerprint, .. } = record;
    let (by, open_until) = (OwnedBy::Operator, None);
    Ok(Some(Owned { payment, fence, request_id, fingerprint, by, open_until, now }))
}

/// Drops stored answers first, then keys that need not be remembered any longer.
pub fn sweep(store: &mut impl Statements, call: Sweep) -> Result<Swept, StoreError> {
    store.need_not_last()?;
    let now = store.now()?;
    let purged = store.purge_expired(SqlTime::truncated(now), call.limit)?;
    let settled_until = SqlTime::truncated(now - call.memory);
    let forgotten = store.forget_purged(settled_until, call.limit)?;
    let count = |rows| u32::try_from(rows).unwrap_or(u32::MAX);
    Ok(Swept { purged: count(purged), forgotten: count(forgotten) })
}

/// Gives an unsettled payment up.
pub fn hand_over(store: &mut impl Statements, call: &HandOver) -> Result<Renewed, StoreError> {
    let Some(mut record) = lock_owned(store, &call.record, call.payment)? else {
        return Ok(Renewed::FenceLost);
    };
    let now = store.now()?;
    let handed_over = match call.to {
        HandOverTo::Recovery(due_in) => {
            record.hand_over(call.fence, RecordState::Unknown { due_at: now + due_in })
        }
        HandOverTo::Client { due_in, open_for } => {
            record.leave_open(call.fence, now + due_in, now + open_for)
        }
        HandOverTo::Review => record.hand_over(call.fence, RecordState::InReview),
    };
    if handed_over.is_err() {
        return Ok(Renewed::FenceLost);
    }
    store.save_record(&RecordRow::from(&record))?;
    if call.to == HandOverTo::Review {
        store.send_to_review(&call.record.account, call.payment)?;
    }
    if record.is_awaited {
        store.announce(call.payment)?;
    }
    append(store, &call.record, call.payment, &call.events, now)?;
    Ok(Renewed::Granted)
}

/// Stores a final state and its answer.
pub fn settle(store: &mut impl Statements, call: &Settle) -> Result<Settled, StoreError> {
    let Some(mut record) = lock_owned(store, &call.payment.record, call.payment.id)? else {
        return Ok(Settled::FenceLost);
    };
    let before = record.clone();
    let now = store.now()?;
    let settled = record.settle(call.fence, call.answer.clone(), call.retention, now);
    let Ok(mut answer) = settled else {
        return Ok(Settled::FenceLost);
    };
    if record != before {
        let row = RecordRow::from(&record);
        store.save_record(&row)?;
        finish(store, call, now)?;
        if record.is_awaited {
            store.announce(call.payment.id)?;
        }
    }
    answer.expires_at = SqlTime::truncated(answer.expires_at).0;
    Ok(Settled::Stored(answer))
}

/// Stores the end of a payment whose record was settled in this transaction.
pub fn finish(
    store: &mut impl Statements,
    call: &Settle,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let ending = Ending::of(call, SqlTime::truncated(now))?;
    if store.insert_outcome(&ending)? != 1 && !is_broken(Rule::Fence) {
        let place = format!("payment_outcomes.status of payment {}", call.payment.id);
        return Err(StoreError::inconsistent(place, "a payment under way has ended already"));
    }
    if !ending.before.is_empty() {
        store.insert_events(&ending.before)?;
    }
    Ok(())
}

/// The locked record, if it still belongs to this payment.
fn lock_owned(
    store: &mut impl Statements,
    id: &RecordId,
    payment: PaymentId,
) -> Result<Option<IdempotencyRecord>, StoreError> {
    let Some(row) = store.lock_record(id)? else {
        return Ok(None);
    };
    let record = IdempotencyRecord::try_from(row)?;
    Ok((record.payment_id == payment).then_some(record))
}

fn load_payment(
    store: &mut impl Statements,
    record: &IdempotencyRecord,
) -> Result<Payment, StoreError> {
    let row = store.payment(&record.id.account, record.payment_id)?.ok_or_else(|| {
        let place = format!("idempotency_records.payment_id {}", record.payment_id);
        StoreError::inconsistent(place, "there is no such payment")
    })?;
    row.try_into()
}

fn append(
    store: &mut impl Statements,
    record: &RecordId,
    payment: PaymentId,
    events: &[NewEvent],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let rows = EventRow::all(record, payment, events, SqlTime::truncated(now));
    if !rows.is_empty() {
        store.insert_events(&rows)?;
    }
    Ok(())
}

fn owned(payment: Payment, record: &IdempotencyRecord, by: OwnedBy, now: OffsetDateTime) -> Opened {
    let fence: Fence = record.fence;
    Opened::Owned(Box::new(Owned {
        payment,
        fence,
        request_id: record.request_id.clone(),
        fingerprint: record.fingerprint.clone(),
        by,
        open_until: None,
        now,
    }))
}
