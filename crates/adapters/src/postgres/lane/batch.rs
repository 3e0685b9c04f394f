//! One batch: lock what is settled, decide, write all of it in one statement, read what was there.
//!
//! It does what the many callers have in common. A call that meets anything else (a key in use, a
//! row that somebody holds, a forgotten key) is left to run alone: its outcome stays `None`.
//!
//! Locks are taken without waiting, and inserts wait in the order of their keys, so that instances
//! never wait for each other in a circle.

use std::collections::{HashMap, HashSet};

use diesel::RunQueryDsl;
use diesel::pg::PgConnection;
use payonce_domain::idempotency::{Claim, IdempotencyRecord, RecordId};
use payonce_domain::payment::Payment;
use payonce_domain::ports::{
    AnnouncedTransaction, Ingested, OpenPayment, Opened, Owned, OwnedBy, Settle, Settled,
};
use payonce_domain::transaction::Transaction;
use time::OffsetDateTime;
use uuid::Uuid;

use super::ingested::{InsertTransactions, NewTransactions};
use super::records::{LockRecords, ReadRecords};
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
    /// Whether a key was known already.
    pub met_known_keys: bool,
}

impl Calls<'_> {
    /// Whether one statement writes all of it: then it is a transaction by itself.
    pub fn is_one_statement(&self) -> bool {
        self.settles.is_empty() && (self.opens.is_empty() || self.announced.is_empty())
    }
}

/// Runs the calls, in the open transaction if they need one. With `looks_first`, keys that are known
/// are read before anything is written: worth it where there are many of them.
pub fn run(
    conn: &mut PgConnection,
    calls: &Calls<'_>,
    looks_first: bool,
) -> Result<Outcomes, StoreError> {
    let mut clock = None;
    let locked = lock(conn, &calls.settles, &mut clock)?;
    let mut known = match looks_first {
        true => look_up(conn, calls.opens.iter().map(|call| &call.record), &mut clock)?,
        false => HashMap::new(),
    };
    let now = clock.map_or_else(|| conn.now(), Ok)?;
    let mut writes = Writes::default();
    let settles = settle(&calls.settles, locked, now, &mut writes);
    let openings = prepare(&calls.opens, &known, now, &mut writes);
    let inserted = write(conn, &writes)?;
    let announced = ingest(conn, &calls.announced, now)?;
    let opened = calls.opens.iter().zip(openings);
    let end =
        |(call, opening): (&&OpenPayment, Option<Opening>)| opening?.end(call, &inserted, now);
    let mut opens: Vec<Option<Opened>> = opened.map(end).collect();
    let others = || calls.opens.iter().zip(&opens).filter(|(_, outcome)| outcome.is_none());
    let met_known_keys = others().next().is_some();
    let unseen = others().map(|(call, _)| &call.record).filter(|id| !known.contains_key(id));
    known.extend(look_up(conn, unseen, &mut clock)?);
    for (call, outcome) in calls.opens.iter().zip(&mut opens).filter(|(_, end)| end.is_none()) {
        *outcome = known.get(&call.record).and_then(|record| stored_answer(record, call, now));
    }
    Ok(Outcomes { opens, settles, announced, met_known_keys })
}

/// Reads the records of these keys, those that are there, and the clock.
fn look_up<'a>(
    conn: &mut PgConnection,
    ids: impl Iterator<Item = &'a RecordId>,
    clock: &mut Option<OffsetDateTime>,
) -> Result<HashMap<RecordId, IdempotencyRecord>, StoreError> {
    let ids: Vec<_> = ids.collect::<HashSet<_>>().into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = ReadRecords::of(&ids).load::<(SqlTime, RecordRow)>(conn)?;
    Ok(by_key(tell_time(found, clock)))
}

/// Takes the clock's reading from the first of these rows.
fn tell_time(
    rows: Vec<(SqlTime, RecordRow)>,
    clock: &mut Option<OffsetDateTime>,
) -> Vec<RecordRow> {
    *clock = clock.or(rows.first().map(|(now, _)| now.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What an opening writes if nobody has used its key.
struct Opening {
    record: IdempotencyRecord,
    payment: Payment,
}

impl Opening {
    /// What the caller is told once everything is written.
    fn end(
        self,
        call: &OpenPayment,
        inserted: &HashSet<Uuid>,
        now: OffsetDateTime,
    ) -> Option<Opened> {
        let Self { record, payment } = self;
        if !inserted.contains(&payment.id.0) {
            return None;
        }
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
    }
}

/// Notes what is to be written for the payments to open whose keys are not known.
fn prepare(
    calls: &[&OpenPayment],
    known: &HashMap<RecordId, IdempotencyRecord>,
    now: OffsetDateTime,
    writes: &mut Writes,
) -> Vec<Option<Opening>> {
    let at = SqlTime::truncated(now);
    let prepare = |call: &&OpenPayment| {
        if known.contains_key(&call.record) {
            return None;
        }
        let record = call.record(now);
        let payment = call.payment(record.generation, now);
        let created = call.created_event(record.fence);
        writes.records.push(RecordRow::from(&record));
        writes.opened.push(PaymentRow::from(&payment));
        writes.created.push(EventRow::new(&call.record, payment.id, &created, at));
        Some(Opening { record, payment })
    };
    let openings = calls.iter().map(prepare).collect();
    writes.records.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
    openings
}

/// The record's answer to a further call, where that is all there is to it. A settled record does not
/// change before it expires: no lock is needed.
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

/// Locks the records of the payments to settle, but for those that somebody else holds, and reads
/// the clock.
fn lock(
    conn: &mut PgConnection,
    calls: &[&Settle],
    clock: &mut Option<OffsetDateTime>,
) -> Result<Vec<RecordRow>, StoreError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = calls.iter().map(|call| &call.payment.record).collect();
    Ok(tell_time(LockRecords::of(&ids).load(conn)?, clock))
}

/// Settles the payments whose records are locked.
fn settle(
    calls: &[&Settle],
    locked: Vec<RecordRow>,
    now: OffsetDateTime,
    writes: &mut Writes,
) -> Vec<Option<Settled>> {
    let mut records = by_key(locked);
    let at = SqlTime::truncated(now);
    let settle = |call: &&Settle| {
        // Taken out: a second call for the same record runs alone, behind this one.
        let mut record = records.remove(&call.payment.record)?;
        let before = record.state.clone();
        if record.payment_id != call.payment.id {
            return None;
        }
        let settled = record.settle(call.fence, call.answer.clone(), call.retention, now);
        let mut answer = settled.ok()?;
        if record.state == before {
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
    calls.iter().map(settle).collect()
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

/// Writes what was decided, all of it but the openings whose keys somebody has used; tells the
/// payments of the others.
fn write(conn: &mut PgConnection, writes: &Writes) -> Result<HashSet<Uuid>, StoreError> {
    let written: (Vec<SqlUuid>, i64, i64) =
        match (writes.records.is_empty(), writes.settled.is_empty()) {
            (true, true) => return Ok(HashSet::new()),
            (false, true) => WriteAll::<true, false>::of(writes).get_result(conn)?,
            (true, false) => WriteAll::<false, true>::of(writes).get_result(conn)?,
            (false, false) => WriteAll::<true, true>::of(writes).get_result(conn)?,
        };
    let (inserted, settled, finished) = written;
    let all = |count: i64, rows: usize| usize::try_from(count).is_ok_and(|count| count == rows);
    if !all(settled, writes.settled.len()) || !all(finished, writes.finished.len()) {
        // Alone, each call finds out what is in its way.
        return Err(StoreError::inconsistent("a batch", "not all of its rows could be written"));
    }
    for payment in &writes.awaited {
        conn.announce(*payment)?;
    }
    Ok(inserted.into_iter().map(|payment| payment.0).collect())
}

/// Unreadable rows are left out: alone, their calls say what is wrong with them.
fn by_key(rows: Vec<RecordRow>) -> HashMap<RecordId, IdempotencyRecord> {
    rows.into_iter()
        .filter_map(|row| IdempotencyRecord::try_from(row).ok())
        .map(|record| (record.id.clone(), record))
        .collect()
}
