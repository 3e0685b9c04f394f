//! Group commit on SQLite, which has one writer at a time: all writes of this process go through
//! one connection, and those that come at the same time share a transaction.
//!
//! When one of them fails, nothing of its transaction stays, and each runs again in a transaction
//! of its own: one bad write fails alone.

use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use payonce_domain::ports::RepositoryError;
use tokio::sync::oneshot;

use super::checkpoints::Checkpoints;
use super::session;
use crate::lane::{Batches, LaneCall};
use crate::store::error::StoreError;

/// Checkpoints are made elsewhere; pages that are changed again and again stay at hand. Not more than 8 MiB
/// of them: SQLite goes through all of its cache at the end of each transaction that moved pages.
const WRITER: &str = "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -8192; \
     PRAGMA temp_store = MEMORY";

/// A write with the way back to its caller, whatever it returns.
pub trait Write: Send {
    /// Runs in the open transaction, again when that one did not commit.
    fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), StoreError>;

    /// Tells the caller what it returned; the transaction has committed.
    fn is_done(self: Box<Self>);

    /// Tells the caller that nothing was written.
    fn has_failed(self: Box<Self>, error: RepositoryError);
}

impl LaneCall for Box<dyn Write> {}

/// A write of one type.
pub struct Queued<T, W> {
    /// What runs.
    pub work: W,
    /// What it returned last.
    pub done: Option<T>,
    /// The way back.
    pub reply: oneshot::Sender<Result<T, RepositoryError>>,
}

impl<T, W> Write for Queued<T, W>
where
    T: Send,
    W: Fn(&mut SqliteConnection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        self.done = Some((self.work)(conn)?);
        Ok(())
    }

    fn is_done(self: Box<Self>) {
        if let Some(done) = self.done {
            // A caller that is gone needs no answer.
            let _ = self.reply.send(Ok(done));
        }
    }

    fn has_failed(self: Box<Self>, error: RepositoryError) {
        let _ = self.reply.send(Err(error));
    }
}

/// Runs batches on the connection that writes.
pub struct SqliteBatches {
    path: String,
    connection: Option<SqliteConnection>,
    checkpoints: Checkpoints,
}

impl SqliteBatches {
    /// Opens the file when there is something to write.
    pub fn new(path: String) -> std::io::Result<Self> {
        Ok(Self { checkpoints: Checkpoints::start(path.clone())?, path, connection: None })
    }

    fn connect(&mut self) -> Result<(), StoreError> {
        if self.connection.is_none() {
            let mut conn = SqliteConnection::establish(&self.path)?;
            session::begin(&mut conn)?;
            conn.batch_execute(WRITER)?;
            self.connection = Some(conn);
        }
        Ok(())
    }

    /// Takes the write lock at the beginning: a transaction that reads first and writes later
    /// could fail at once instead of waiting. Tells also whether it got the lock.
    fn commit(&mut self, writes: &mut [Box<dyn Write>]) -> (bool, Result<(), StoreError>) {
        if let Err(error) = self.connect() {
            return (false, Err(error));
        }
        let Some(conn) = &mut self.connection else {
            return (false, Err(StoreError::Cancelled));
        };
        let mut has_begun = false;
        let done = conn.immediate_transaction(|conn| {
            has_begun = true;
            writes.iter_mut().try_for_each(|write| write.run(conn))
        });
        if done.is_ok() {
            self.checkpoints.committed(conn);
        }
        (has_begun, done)
    }
}

impl Batches for SqliteBatches {
    type Call = Box<dyn Write>;

    fn run(&mut self, mut writes: Vec<Box<dyn Write>>) {
        let (has_begun, done) = self.commit(&mut writes);
        match done {
            Ok(()) => writes.into_iter().for_each(Write::is_done),
            Err(error) if writes.len() == 1 => {
                if let Some(write) = writes.pop() {
                    write.has_failed(error.into());
                }
            }
            Err(error) if !has_begun => {
                // Another process holds the file, or it is gone: that holds for each.
                let reason = error.to_string();
                for write in writes {
                    write.has_failed(RepositoryError::Unavailable(reason.clone().into()));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a batch of writes failed; each runs alone");
                writes.into_iter().for_each(|write| self.run(vec![write]));
            }
        }
    }
}
