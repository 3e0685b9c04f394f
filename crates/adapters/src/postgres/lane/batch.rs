//! One batch: look for what is wanted, write all else in one statement, read what was there.
//!
//! It does what the many callers have in common. A call that meets anything else (a key in use, a
//! row that somebody holds, a fence that is lost, a forgotten key) is left to run alone: its outcome
//! stays `None`.
//!
//! What the many have in common is known before anything is read: a key that nobody has used, a
//! record that is its owner's still. The domain decides on that, and the statement writes what it
//! finds so, under its locks. Rows that somebody has locked are left out, and inserts wait in the order of
//! their keys, so that instances do not wait for each other in a circle.

use std::collections::{HashMap, HashSet};

use diesel::RunQueryDsl;
use diesel::pg::PgConnection;
use payonce_domain::idempotency::RecordId;
use payonce_domain::ports::{Ingested, Settle};
use time::OffsetDateTime;
use uuid::Uuid;

use super::calls::{Announcing, Opening};
use super::ingested::InsertTransactions;
use super::looks::Looks;
use super::records::{Found, KnownRecord, look_up};
use super::repeats::Repeats;
use super::rows::BEGINNING;
use super::settlements::SettlementRows;
use super::writes::{WriteAll, Writes};
use crate::store::error::StoreError;
use crate::store::values::{SqlTime, SqlUuid};

/// The calls of a batch.
#[derive(Default)]
pub struct Calls<'a> {
    /// Payments to open.
    pub openings: Vec<&'a Opening>,
    /// Payments to settle.
    pub settlings: Vec<&'a Settle>,
    /// Transactions to store.
    pub announced: Vec<&'a Announcing>,
}

/// What became of a payment to open.
pub enum OpeningEnd {
    /// It was opened, at this time.
    Inserted(OffsetDateTime),
    /// Its key was known.
    Known(Box<KnownRecord>),
}

/// A payment was settled, at this time.
pub struct SettledAt(pub OffsetDateTime);

/// What became of them, each in its place; `None` is left to run alone.
#[derive(Default)]
pub struct Outcomes {
    /// Of the payments to open.
    pub openings: Vec<Option<OpeningEnd>>,
    /// Of the payments to settle.
    pub settlings: Vec<Option<SettledAt>>,
    /// Of the transactions to store.
    pub announced: Vec<Option<Ingested>>,
}

impl Calls<'_> {
    /// Whether one statement writes all of it: then it is a transaction by itself.
    pub fn is_one_statement(&self) -> bool {
        self.announced.is_empty() || (self.openings.is_empty() && self.settlings.is_empty())
    }
}

/// Runs the calls, in the open transaction if they need one.
pub fn run(
    conn: &mut PgConnection,
    looks: &mut Looks,
    calls: &Calls<'_>,
    repeats: &Repeats,
) -> Result<Outcomes, StoreError> {
    looks.run(conn)?;
    let mut writes = Writes::default();
    let is_settling = settle(&calls.settlings, &mut writes);
    open(&calls.openings, &mut writes);
    let written = write(conn, &writes)?;
    let announced = ingest(conn, &calls.announced)?;
    let known = calls.openings.iter().filter(|opening| !written.opened(opening));
    let known: Vec<_> = known.map(|opening| &opening.call.record).collect();
    repeats.opened(calls.openings.len(), known.len());
    let mut found: Vec<Found> = vec![None; known.len()];
    look_up(conn, &known, |place, known| {
        if let Some(found) = found.get_mut(place) {
            *found = Some(known);
        }
    })?;
    let mut found = found.into_iter();
    let end = |opening: &&Opening| match written.opened(opening) {
        true => Some(OpeningEnd::Inserted(written.now)),
        false => found.next().flatten().map(OpeningEnd::Known),
    };
    let openings = calls.openings.iter().map(end).collect();
    let settlings = calls.settlings.iter().zip(is_settling);
    let settlings = settlings
        .map(|(settling, is)| (is && written.settled(settling)).then_some(SettledAt(written.now)))
        .collect();
    Ok(Outcomes { openings, settlings, announced })
}

/// Account, key space and key.
fn key(opening: &Opening) -> (&str, &str, &str) {
    let RecordId { account, space, key } = &opening.call.record;
    (account.as_str(), space.as_str(), key.as_str())
}

/// Notes what is to be written for the payments to open if their keys are not known.
fn open<'a>(openings: &[&'a Opening], writes: &mut Writes<'a>) {
    let mut sorted = openings.to_vec();
    sorted.sort_unstable_by(|one, other| key(one).cmp(&key(other)));
    writes.openings.extend(sorted.into_iter().map(Opening::rows));
}

/// Notes what is to be written for the payments to settle; a second call for the same payment is left
/// out, and runs behind the first. So is one whose payment has no end, which then says so.
fn settle<'a>(settlings: &[&'a Settle], writes: &mut Writes<'a>) -> Vec<bool> {
    let mut seen = HashSet::with_capacity(settlings.len());
    let settle = |settling: &&'a Settle| {
        let first = seen.insert(settling.payment.id).then(|| SettlementRows::of(settling));
        let Some(Ok(mut rows)) = first else { return false };
        writes.events.append(&mut rows.ending.before);
        writes.settlements.push(rows);
        true
    };
    let is_settling = settlings.iter().map(settle).collect();
    writes.settlements.sort_unstable_by(|one, other| one.record.key().cmp(&other.record.key()));
    is_settling
}

/// Stores the transactions that are new.
fn ingest(
    conn: &mut PgConnection,
    announced: &[&Announcing],
) -> Result<Vec<Option<Ingested>>, StoreError> {
    if announced.is_empty() {
        return Ok(Vec::new());
    }
    let mut first = HashMap::with_capacity(announced.len());
    for (place, announcing) in announced.iter().enumerate() {
        first.entry(announcing.row.key()).or_insert((place, &announcing.row));
    }
    let mut rows: Vec<_> = first.values().map(|(_, row)| *row).collect();
    rows.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
    let inserted: Vec<(String, String)> = InsertTransactions(&rows).load(conn)?;
    let new: HashSet<usize> = inserted
        .iter()
        .filter_map(|(account, id)| first.get(&(account.as_str(), id.as_str())))
        .map(|(place, _)| *place)
        .collect();
    Ok((0..announced.len()).map(|place| new.contains(&place).then_some(Ingested::New)).collect())
}

/// What was written of it.
struct Written {
    now: OffsetDateTime,
    opened: HashSet<Uuid>,
    settled: HashSet<Uuid>,
}

impl Written {
    fn opened(&self, opening: &Opening) -> bool {
        self.opened.contains(&opening.call.candidate.0)
    }

    fn settled(&self, settling: &Settle) -> bool {
        self.settled.contains(&settling.payment.id.0)
    }
}

/// Writes what was decided, where it finds what that stands on.
fn write(conn: &mut PgConnection, writes: &Writes<'_>) -> Result<Written, StoreError> {
    type Row = (SqlTime, Vec<SqlUuid>, Vec<SqlUuid>, i64);
    let opens = !writes.openings.is_empty();
    let (settles, notes) = (!writes.settlements.is_empty(), !writes.events.is_empty());
    let (now, opened, settled, _announced): Row = match (opens, settles, notes) {
        (false, false, _) => (SqlTime(BEGINNING), Vec::new(), Vec::new(), 0),
        (true, false, _) => WriteAll::<true, false, false>(writes).get_result(conn)?,
        (false, true, false) => WriteAll::<false, true, false>(writes).get_result(conn)?,
        (false, true, true) => WriteAll::<false, true, true>(writes).get_result(conn)?,
        (true, true, false) => WriteAll::<true, true, false>(writes).get_result(conn)?,
        (true, true, true) => WriteAll::<true, true, true>(writes).get_result(conn)?,
    };
    let ids = |payments: Vec<SqlUuid>| payments.into_iter().map(|payment| payment.0).collect();
    Ok(Written { now: now.0, opened: ids(opened), settled: ids(settled) })
}
