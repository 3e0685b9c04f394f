//! What each connection is told before it works, and what goes ahead of each transaction where
//! connections do not last: behind a pooler such as PgBouncer in transaction mode, two transactions
//! of one client may run in two sessions of the server.

use diesel::connection::{CacheSize, SimpleConnection};
use diesel::pg::PgConnection;
use diesel::{Connection, QueryResult};

use crate::store::error::StoreError;

/// Limits on whatever a statement may wait for. A transaction of the protocol takes milliseconds.
const LIMITS: &[&str] = &[
    "statement_timeout = '2s'",
    "lock_timeout = '500ms'",
    "idle_in_transaction_session_timeout = '5s'",
    "TimeZone = 'UTC'",
];

/// The settings of one kind of connection.
#[derive(Debug, Clone)]
pub struct Session {
    before_all: String,
    /// Where there is a pooler.
    before_each: Option<String>,
}

impl Session {
    /// With the limits of every connection; `is_pooled` says that the server is behind a pooler.
    pub fn new(is_pooled: bool) -> Self {
        Self::with(&[], is_pooled)
    }

    /// With more settings, which win.
    pub fn with(more: &[&str], is_pooled: bool) -> Self {
        let settings = || LIMITS.iter().chain(more);
        let local = || settings().map(|setting| format!("SET LOCAL {setting};"));
        let lasting = settings().map(|setting| format!("SET {setting};"));
        let isolation = |word: &str| format!("SET {word}transaction_isolation = 'read committed';");
        Self {
            before_all: lasting.chain([isolation("default_")]).collect(),
            before_each: is_pooled
                .then(|| [isolation("LOCAL ")].into_iter().chain(local()).collect()),
        }
    }

    /// Whether the server is behind a pooler.
    pub fn is_pooled(&self) -> bool {
        self.before_each.is_some()
    }

    /// Sets up a new connection.
    pub fn begin(&self, conn: &mut PgConnection) -> QueryResult<()> {
        if self.is_pooled() {
            // A prepared statement belongs to a session: another one may know another by its name.
            conn.set_prepared_statement_cache_size(CacheSize::Disabled);
            return Ok(());
        }
        conn.batch_execute(&self.before_all)
    }

    /// Runs work in a transaction.
    pub fn transaction<T>(
        &self,
        conn: &mut PgConnection,
        work: impl FnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = conn.transaction(|conn| {
            if let Some(settings) = &self.before_each {
                conn.batch_execute(settings)?;
            }
            work(conn)
        });
        done.inspect_err(|error| forget_outdated(conn, error))
    }

    /// Runs work that needs no transaction but for its limits.
    pub fn run<T>(
        &self,
        conn: &mut PgConnection,
        work: impl FnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self.is_pooled() {
            true => self.transaction(conn, work),
            false => work(conn).inspect_err(|error| forget_outdated(conn, error)),
        }
    }
}

/// Forgets what was prepared before the tables were changed, so that the next try prepares it anew. What
/// the server keeps of it goes with the connection.
fn forget_outdated(conn: &mut PgConnection, error: &StoreError) {
    if error.is_of_another_schema() {
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        conn.set_prepared_statement_cache_size(CacheSize::Unbounded);
    }
}
