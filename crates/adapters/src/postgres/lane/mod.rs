//! Group commit on PostgreSQL: payments that are opened at the same time share a transaction, on a
//! connection of the lane's own; so do those that are settled, and transactions that are announced.
//!
//! A call that a batch cannot do, and every call of a batch that fails, goes back to its caller to
//! run alone, on a pooled connection. That is also how a commit without an answer is resolved: alone,
//! each call reads what became of it.

mod batch;
mod calls;
mod ingested;
mod looks;
mod openings;
mod records;
mod repeats;
mod rows;
mod settlements;
mod writes;

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::{Connection, RunQueryDsl};
use metrics::{Counter, counter, describe_counter};
use payonce_domain::ports::{Ingested, Settle};
use tokio::sync::oneshot;

use self::batch::{Calls, Outcomes};
pub use self::batch::{OpeningEnd, SettledAt};
pub use self::calls::{Announcing, Opening};
pub use self::looks::Look;
use self::looks::Looks;
pub use self::repeats::Repeats;
use super::session::Session;
use crate::lane::{Batches, LaneCall};
use crate::measurements::Measurements;
use crate::store::error::StoreError;

const ALONE: &str = "payonce_lane_calls_alone_total";

/// Plans for arrays are made once, before their lengths are known, and must not depend on what the
/// tables held then: any other plan than by index is slower by far. No key is looked for twice in a
/// statement, so that none need be remembered. A lane waits for nobody long.
const SETTINGS: [&str; 6] = [
    "plan_cache_mode = force_generic_plan",
    "enable_seqscan = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "enable_memoize = off",
    "lock_timeout = '100ms'",
];

/// A call that waits for its batch.
pub struct Queued<I, O> {
    /// What is asked for.
    pub call: Box<I>,
    /// The way back.
    pub reply: oneshot::Sender<Reply<I, O>>,
}

/// What a caller is told.
pub struct Reply<I, O> {
    /// What it asked for.
    pub call: Box<I>,
    /// What became of it, once that has committed; `None` if it has to run alone.
    pub end: Option<O>,
}

/// The calls that share transactions.
pub enum Call {
    /// Looks for a key.
    Look(Look),
    /// Opens a payment.
    Open(Queued<Opening, OpeningEnd>),
    /// Settles one.
    Settle(Queued<Settle, SettledAt>),
    /// Stores an announced transaction.
    Ingest(Queued<Announcing, Ingested>),
}

impl LaneCall for Call {
    const KINDS: usize = 4;

    fn kind(&self) -> usize {
        match self {
            Self::Open(_) => 0,
            Self::Settle(_) => 1,
            Self::Ingest(_) => 2,
            Self::Look(_) => 3,
        }
    }
}

/// Runs batches on one connection of the lane.
pub struct PostgresBatches {
    url: String,
    session: Session,
    connection: Option<PgConnection>,
    committed: u64,
    repeats: Repeats,
    alone: Counter,
}

impl PostgresBatches {
    /// Connects when there is something to do; `is_pooled` says that the server is behind a pooler.
    pub fn new(
        url: String,
        is_pooled: bool,
        repeats: Repeats,
        measurements: &Measurements,
    ) -> Self {
        let alone = measurements.record(|| {
            describe_counter!(
                ALONE,
                "Writes that could not share a transaction and ran alone: keys in use, rows that \
                 somebody held, batches that failed."
            );
            counter!(ALONE)
        });
        let session = Session::with(&SETTINGS, is_pooled);
        Self { url, session, connection: None, committed: 0, repeats, alone }
    }

    fn connect(&self) -> Result<PgConnection, diesel::ConnectionError> {
        let mut conn = PgConnection::establish(&self.url)?;
        let set_up = self.session.begin(&mut conn);
        set_up.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }

    /// Runs the looks, and the other calls in one transaction; `None` when nothing is known of any of those.
    fn commit(&mut self, looks: &mut Looks, calls: &Calls<'_>) -> Option<Outcomes> {
        let mut conn = match self.connection.take().map_or_else(|| self.connect(), Ok) {
            Ok(conn) => conn,
            Err(error) => {
                tracing::warn!(%error, "a lane cannot reach the database");
                return None;
            }
        };
        let run = |conn: &mut PgConnection| batch::run(conn, looks, calls, &self.repeats);
        let done = match calls.is_one_statement() {
            true => self.session.run(&mut conn, run),
            false => self.session.transaction(&mut conn, run),
        };
        match done {
            Ok(outcomes) => {
                self.committed += 1;
                // Tables grow fast while they are young, and a plan made for empty ones may read
                // all of an account by the wrong index. Later the server's own statistics see to it.
                let is_due = self.committed.is_power_of_two() && !self.session.is_pooled();
                let planned = is_due.then(|| conn.batch_execute("DISCARD PLANS"));
                self.connection = planned.is_none_or(|planned| planned.is_ok()).then_some(conn);
                Some(outcomes)
            }
            Err(error) => {
                let error: &StoreError = &error;
                tracing::warn!(%error, "a batch of writes failed; each runs alone");
                self.connection = is_alive(&mut conn).then_some(conn);
                None
            }
        }
    }
}

impl Batches for PostgresBatches {
    type Call = Call;

    fn run(&mut self, calls: Vec<Call>) {
        let (mut openings, mut settlings, mut announced) = (Vec::new(), Vec::new(), Vec::new());
        let mut looks = Looks::default();
        for call in calls {
            match call {
                Call::Open(queued) => openings.push(queued),
                Call::Settle(queued) => settlings.push(queued),
                Call::Ingest(queued) => announced.push(queued),
                Call::Look(look) => looks.push(look),
            }
        }
        let calls = Calls {
            openings: openings.iter().map(|queued| &*queued.call).collect(),
            settlings: settlings.iter().map(|queued| &*queued.call).collect(),
            announced: announced.iter().map(|queued| &*queued.call).collect(),
        };
        let outcomes = self.commit(&mut looks, &calls).unwrap_or_default();
        looks.end(&self.repeats);
        let alone = reply(openings, outcomes.openings)
            + reply(settlings, outcomes.settlings)
            + reply(announced, outcomes.announced);
        self.alone.increment(alone);
    }
}

/// Tells each caller, and how many have no outcome: they run alone.
fn reply<I, O>(queued: Vec<Queued<I, O>>, outcomes: Vec<Option<O>>) -> u64 {
    let outcomes = outcomes.into_iter().chain(std::iter::repeat_with(|| None));
    let mut alone = 0;
    for (Queued { call, reply }, end) in queued.into_iter().zip(outcomes) {
        alone += u64::from(end.is_none());
        // A caller that is gone needs no answer.
        let _ = reply.send(Reply { call, end });
    }
    alone
}

fn is_alive(conn: &mut PgConnection) -> bool {
    diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>("true")).execute(conn).is_ok()
}
