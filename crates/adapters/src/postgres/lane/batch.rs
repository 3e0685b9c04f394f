//! One batch, in one transaction: insert what is new, lock what is settled, write what the domain
//! decides.
//!
//! It does what the many callers have in common. A call that meets anything else (a key in use, a
//! row that somebody holds, a forgotten key) is left to run alone: its outcome stays `None`.
//!
//! Inserts come first and in the order of their keys, locks after them and without waiting, so that
//! lanes never wait for each other in a circle.

use std::collections::{HashMap, HashSet};

use diesel::RunQueryDsl;
use diesel::pg::PgConnection;
use payonce_domain::idempotency::{Claim, IdempotencyRecord, RecordId};
use payonce_domain::ports::{
    AnnouncedTransaction, Ingested, OpenPayment, Opened, Owned, OwnedBy, Settle, Settled,
};
use payonce_domain::transaction::Transaction;
use time::OffsetDateTime;
use uuid::Uuid;

use super::ingested::{InsertTransactions, NewTransactions};
use super::records::{InsertRecords, LockRecords, NewRecords, ReadRecords};
use super::writes::{FinishedRow, WriteAll, Writes};
use crate::store::error::StoreError;
use crate::store::rows::{EventRow, FinalState, PaymentRow, RecordRow};
use crate::store::statements::Statements;
use crate::store::transaction_queue::TransactionRow;
use crate::store::values::{SqlTime, SqlUuid};

/// The calls of a batch.
#[derive(Default)]
pub struct Calls<'a> {
    /// Payments to open.
    pub opens: Vec<&'a OpenPayment>,
    /// Payments to settle.
    pub settles: Vec<&'a Settle>,
    /// Transactions to store.
    pub announced: Vec<&'a AnnouncedTransaction>,
}

/// What became of them, each in its place; `None` is left to run alone.
#[derive(Default)]
pub struct Outcomes {
    /// Of the payments to open.
    pub opens: Vec<Option<Opened>>,
    /// Of the payments to settle.
    pub settles: Vec<Option<Settled>>,
    /// Of the transactions to store.
    pub announced: Vec<Option<Ingested>>,
}

/// Runs the calls in the open transaction.
pub fn run(conn: &mut PgConnection, calls: &Calls<'_>) -> Result<Outcomes, StoreError> {
    let now = conn.now()?;
    let mut writes = Writes::default();
    let mut opens = open(conn, &calls.opens, now, &mut writes)?;
    let announced = ingest(conn, &calls.announced, now)?;
    replay(conn, &calls.opens, now, &mut opens)?;
    let settles = settle(conn, &calls.settles, now, &mut writes)?;
    write(conn, &writes)?;
    Ok(Outcomes { opens, settles, announced })
}

/// Opens the payments whose keys nobody has used.
fn open(
    conn: &mut PgConnection,
    calls: &[&OpenPayment],
    now: OffsetDateTime,
    writes: &mut Writes,
) -> Result<Vec<Option<Opened>>, StoreError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let records: Vec<_> = calls.iter().map(|call| call.record(now)).collect();
    let mut rows: Vec<_> = records.iter().map(RecordRow::from).collect();
    rows.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
    let inserted: HashSet<Uuid> = InsertRecords(NewRecords::of(&rows))
        .load::<SqlUuid>(conn)?
        .into_iter()
        .map(|payment| payment.0)
        .collect();
    let at = SqlTime::truncated(now);
    let open = |(call, record): (&&OpenPayment, IdempotencyRecord)| {
        if !inserted.contains(&call.candidate.0) {
            return None;
        }
        let payment = call.payment(record.generation, now);
        let created = call.created_event(record.fence);
        writes.opened.push(PaymentRow::from(&payment));
        writes.events.push(EventRow::new(&call.record, payment.id, &created, at));
        Some(if call.queued {
            Opened::Pending(Box::new(payment))
        } else {
            Opened::Owned(Box::new(Owned {
                payment,
                fence: record.fence,
                request_id: record.request_id,
                by: OwnedBy::Opening,
                open_until: None,
                now,
            }))
        })
    };
    Ok(calls.iter().zip(records).map(open).collect())
}

/// Replays stored answers. A settled record does not change before it expires: no lock is needed.
fn replay(
    conn: &mut PgConnection,
    calls: &[&OpenPayment],
    now: OffsetDateTime,
    outcomes: &mut [Option<Opened>],
) -> Result<(), StoreError> {
    let known = || calls.iter().zip(outcomes.iter()).filter(|(_, outcome)| outcome.is_none());
    let ids: HashSet<&RecordId> = known().map(|(call, _)| &call.record).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = ids.into_iter().collect();
    let records = by_key(ReadRecords::of(&ids).load::<RecordRow>(conn)?);
    for (call, outcome) in calls.iter().zip(outcomes) {
        if outcome.is_none() {
            *outcome =
                records.get(&call.record).and_then(|record| stored_answer(record, call, now));
        }
    }
    Ok(())
}

/// The record's answer to a further call, where that is all there is to it.
fn stored_answer(
    record: &IdempotencyRecord,
    call: &OpenPayment,
    now: OffsetDateTime,
) -> Option<Opened> {
    let mut seen = record.clone();
    let fingerprint = call.request.fingerprint();
    match seen.claim_again(&call.claim_terms(&fingerprint, false), now) {
        Claim::Replay(answer) if seen == *record => Some(Opened::Replay(answer)),
        _ => None,
    }
}

/// Settles the payments whose records nobody else holds.
fn settle(
    conn: &mut PgConnection,
    calls: &[&Settle],
    now: OffsetDateTime,
    writes: &mut Writes,
) -> Result<Vec<Option<Settled>>, StoreError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = calls.iter().map(|call| &call.payment.record).collect();
    let mut records = by_key(LockRecords::of(&ids).load::<RecordRow>(conn)?);
    let at = SqlTime::truncated(now);
    let settle = |call: &&Settle| {
        // Taken out: a second call for the same record runs alone, behind this one.
        let mut record = records.remove(&call.payment.record)?;
        let before = record.clone();
        if record.payment_id != call.payment.id {
            return None;
        }
        let settled = record.settle(call.fence, call.answer.clone(), call.retention, now);
        let mut answer = settled.ok()?;
        if record == before {
            return None;
        }
        let row = RecordRow::from(&record);
        writes.finished.push(FinishedRow::new(&row, FinalState::from(&call.payment)));
        writes.settled.push(row);
        let payment = call.payment.id;
        let event = |event| EventRow::new(&call.payment.record, payment, event, at);
        writes.events.extend(call.events.iter().map(event));
        if record.is_awaited {
            writes.awaited.push(payment);
        }
        answer.expires_at = SqlTime::truncated(answer.expires_at).0;
        Some(Settled::Stored(answer))
    };
    Ok(calls.iter().map(settle).collect())
}

/// Stores the transactions that are new.
fn ingest(
    conn: &mut PgConnection,
    calls: &[&AnnouncedTransaction],
    now: OffsetDateTime,
) -> Result<Vec<Option<Ingested>>, StoreError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let mut first = HashMap::with_capacity(calls.len());
    for (place, call) in calls.iter().enumerate() {
        first.entry(&call.key).or_insert((place, call));
    }
    let mut places = HashMap::with_capacity(first.len());
    let mut rows = Vec::with_capacity(first.len());
    for (key, (place, call)) in first {
        let accepted = Transaction::accepted(key.clone(), call.contents.clone(), call.delay, now);
        rows.push(TransactionRow::from(&accepted));
        places.insert((key.account.as_str(), key.id.as_str()), place);
    }
    rows.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
    let inserted: Vec<(String, String)> =
        InsertTransactions(NewTransactions::of(&rows)).load(conn)?;
    let new: HashSet<usize> = inserted
        .iter()
        .filter_map(|(account, id)| places.get(&(account.as_str(), id.as_str())).copied())
        .collect();
    Ok((0..calls.len()).map(|place| new.contains(&place).then_some(Ingested::New)).collect())
}

/// Writes what was decided, all of it.
fn write(conn: &mut PgConnection, writes: &Writes) -> Result<(), StoreError> {
    if writes.opened.is_empty() && writes.settled.is_empty() {
        return Ok(());
    }
    let (opened, settled, finished): (i64, i64, i64) = WriteAll::of(writes).get_result(conn)?;
    let all = |count: i64, rows: usize| usize::try_from(count).is_ok_and(|count| count == rows);
    let is_complete = all(opened, writes.opened.len())
        && all(settled, writes.settled.len())
        && all(finished, writes.finished.len());
    if !is_complete {
        // Alone, each call finds out what is in its way.
        return Err(StoreError::inconsistent("a batch", "not all of its rows could be written"));
    }
    for payment in &writes.awaited {
        conn.announce(*payment)?;
    }
    Ok(())
}

/// Unreadable rows are left out: alone, their calls say what is wrong with them.
fn by_key(rows: Vec<RecordRow>) -> HashMap<RecordId, IdempotencyRecord> {
    rows.into_iter()
        .filter_map(|row| IdempotencyRecord::try_from(row).ok())
        .map(|record| (record.id.clone(), record))
        .collect()
}
