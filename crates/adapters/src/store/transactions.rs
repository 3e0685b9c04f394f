//! The protocol's transactions: load the row under its lock, let the domain decide, save.
//!
//! Each function is the body of one transaction and holds nothing once it returns, so that it
//! does not matter whether a call runs in a transaction of its own or among others. Lock order
//! everywhere: idempotency record, payment, events.

use diesel::QueryResult;
use payonce_domain::account::AccountId;
use payonce_domain::idempotency::{
    Claim, ClaimTerms, Fence, IdempotencyRecord, RecordId, RecordState, differing_fields,
};
use payonce_domain::payment::{NewEvent, Payment, PaymentId};
use payonce_domain::ports::{
    HandOver, LeaseRenewal, OpenPayment, Opened, Owned, OwnedBy, Renewed, Settle, Settled,
};
use time::OffsetDateTime;

use super::error::StoreError;
use super::rows::{EventRow, FinalState, PaymentRow, RecordRow};
use super::values::SqlTime;

/// The statements that the transactions are made of, on an open transaction of one store.
pub trait Statements {
    /// The store's clock.
    fn now(&mut self) -> QueryResult<OffsetDateTime>;

    /// Inserts a record; false when its key is there already. Waits for a racing insert.
    fn insert_record_if_absent(&mut self, row: &RecordRow) -> QueryResult<bool>;

    /// Reads a record and keeps every other transaction from deciding about it.
    fn lock_record(&mut self, id: &RecordId) -> QueryResult<Option<RecordRow>>;

    /// Writes a locked record back.
    fn save_record(&mut self, row: &RecordRow) -> QueryResult<usize>;

    /// Inserts a payment.
    fn insert_payment(&mut self, row: &PaymentRow) -> QueryResult<usize>;

    /// Reads a payment.
    fn payment(&mut self, account: &AccountId, id: PaymentId) -> QueryResult<Option<PaymentRow>>;

    /// Counts a send, and notes when the first one was made.
    fn note_send(
        &mut self,
        renewal: &LeaseRenewal,
        attempts: i32,
        now: SqlTime,
    ) -> QueryResult<usize>;

    /// Shuts the one-way door, unless it is shut already.
    fn note_void_intention(&mut self, renewal: &LeaseRenewal, now: SqlTime) -> QueryResult<usize>;

    /// Gives an unsettled payment its final state; touches no other.
    fn finish_payment(&mut self, payment: &Payment, end: &FinalState) -> QueryResult<usize>;

    /// Appends to the timeline; what is there already stays.
    fn insert_events(&mut self, rows: &[EventRow]) -> QueryResult<usize>;
}

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
    let payment = call.payment(record.generation, now);
    store.insert_payment(&PaymentRow::from(&payment))?;
    append(store, &payment.record, payment.id, &[call.created_event(record.fence)], now)?;
    if call.queued {
        return Ok(Opened::Pending(Box::new(payment)));
    }
    Ok(owned(payment, record, OwnedBy::Opening, now))
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
    let payment = load_payment(store, &record)?;
    let fingerprint = call.request.fingerprint();
    let terms = ClaimTerms {
        fingerprint: &fingerprint,
        candidate: call.candidate,
        request_id: &call.request_id,
        lease: call.lease,
        after_expiry: call.after_expiry,
        may_take_over: payment.gateway == call.gateway,
    };
    let claim = record.claim_again(&terms, now);
    if claim == Claim::NextGeneration {
        record.state = call.first_state(now);
    }
    if record != before {
        store.save_record(&RecordRow::from(&record))?;
    }
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
            payment: payment.id,
            fields: differing_fields(&payment.request.fields(), &call.request.fields()),
        },
        Claim::InUse { lease_left } => Opened::InUse { payment: payment.id, lease_left },
        Claim::Pending => Opened::Pending(Box::new(payment)),
        Claim::Expired => Opened::Expired { payment: payment.id },
        Claim::UnknownFingerprintVersion => Opened::UnknownFingerprintVersion,
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

/// Gives an unsettled payment up.
pub fn hand_over(store: &mut impl Statements, call: &HandOver) -> Result<Renewed, StoreError> {
    let Some(mut record) = lock_owned(store, &call.record, call.payment)? else {
        return Ok(Renewed::FenceLost);
    };
    let now = store.now()?;
    let unknown = RecordState::Unknown { due_at: now + call.due_in };
    if record.hand_over(call.fence, unknown).is_err() {
        return Ok(Renewed::FenceLost);
    }
    store.save_record(&RecordRow::from(&record))?;
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
        let end = FinalState::from(&call.payment);
        if store.finish_payment(&call.payment, &end)? != 1 {
            let place = format!("payments.status of payment {}", call.payment.id);
            return Err(StoreError::inconsistent(place, "a payment under way is final already"));
        }
        append(store, &call.payment.record, call.payment.id, &call.events, now)?;
    }
    answer.expires_at = SqlTime::truncated(answer.expires_at).0;
    Ok(Settled::Stored(answer))
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
    let at = SqlTime::truncated(now);
    let rows: Vec<_> =
        events.iter().map(|event| EventRow::new(record, payment, event, at)).collect();
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
        by,
        now,
    }))
}

/// The statements that both stores spell alike; a store adds its clock and its lock.
macro_rules! shared_statements {
    () => {
        fn insert_record_if_absent(&mut self, row: &RecordRow) -> QueryResult<bool> {
            let inserted = diesel::insert_into(idempotency_records::table)
                .values(row)
                .on_conflict_do_nothing()
                .execute(self)?;
            Ok(inserted == 1)
        }

        fn save_record(&mut self, row: &RecordRow) -> QueryResult<usize> {
            diesel::update(idempotency_records::table.find(row.key())).set(row).execute(self)
        }

        fn insert_payment(&mut self, row: &PaymentRow) -> QueryResult<usize> {
            diesel::insert_into(payments::table).values(row).execute(self)
        }

        fn payment(
            &mut self,
            account: &AccountId,
            id: PaymentId,
        ) -> QueryResult<Option<PaymentRow>> {
            payments::table
                .find((account.as_str(), SqlUuid(id.0)))
                .select(PaymentRow::as_select())
                .first(self)
                .optional()
        }

        fn note_send(
            &mut self,
            renewal: &LeaseRenewal,
            attempts: i32,
            now: SqlTime,
        ) -> QueryResult<usize> {
            let key = (renewal.record.account.as_str(), SqlUuid(renewal.payment.0));
            let first_sent_at = payments::first_sent_at;
            let sent = payments::table.find(key);
            // A void alone is no send of a charge.
            let first =
                sent.filter(first_sent_at.is_null()).filter(payments::attempts.lt(attempts));
            diesel::update(first)
                .set((payments::attempts.eq(attempts), first_sent_at.eq(now)))
                .execute(self)?;
            diesel::update(sent).set(payments::attempts.eq(attempts)).execute(self)
        }

        fn note_void_intention(
            &mut self,
            renewal: &LeaseRenewal,
            now: SqlTime,
        ) -> QueryResult<usize> {
            let key = (renewal.record.account.as_str(), SqlUuid(renewal.payment.0));
            let open_door = payments::table.find(key).filter(payments::void_intended_at.is_null());
            diesel::update(open_door).set(payments::void_intended_at.eq(now)).execute(self)
        }

        fn finish_payment(&mut self, payment: &Payment, end: &FinalState) -> QueryResult<usize> {
            let key = (payment.record.account.as_str(), SqlUuid(payment.id.0));
            let unsettled = payments::table
                .find(key)
                .filter(payments::status.eq_any(["PROCESSING", "NEEDS_REVIEW"]));
            diesel::update(unsettled).set(end).execute(self)
        }
    };
}
pub(crate) use shared_statements;
