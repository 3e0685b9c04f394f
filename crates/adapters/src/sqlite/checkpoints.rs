//! Moves what was written ahead into the database file, on a connection of its own: commits then
//! never wait for it.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Integer;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl};
use payonce_domain::ports::BoxedError;

/// How long the log gathers between two looks: each costs two syncs.
const PAUSE: Duration = Duration::from_millis(200);

/// So many pages of 4 KiB in the log make its writer empty it: while somebody writes, nobody else
/// can.
const LARGE: i32 = 16_384;

/// So few pages are left to the writer then, whom everybody waits for: what it writes while this thread
/// syncs.
const FEW: i32 = 256;

/// Looks that are made to leave it no more than that. Each finds what was written during the one before.
const LOOKS: usize = 8;

/// What a checkpoint tells.
#[derive(QueryableByName)]
struct Checkpoint {
    /// Pages in the log.
    #[diesel(sql_type = Integer)]
    log: i32,
}

/// The writer's end: it tells of its commits.
pub struct Checkpoints {
    written: SyncSender<()>,
    is_large: Arc<AtomicBool>,
}

impl Checkpoints {
    /// Starts the thread; it ends when this is dropped.
    pub fn start(path: String) -> std::io::Result<Self> {
        let (written, commits) = sync_channel(1);
        let is_large = Arc::new(AtomicBool::new(false));
        let large = is_large.clone();
        let work = move || follow(path, &commits, &large);
        thread::Builder::new().name("payonce-checkpoints".to_owned()).spawn(work)?;
        Ok(Self { written, is_large })
    }

    /// Call this after each commit, on the connection that wrote.
    pub fn committed(&self, conn: &mut SqliteConnection) {
        if self.is_large.swap(false, Ordering::Relaxed)
            && let Err(error) = checkpoint(conn)
        {
            report(&error);
        }
        // The thread has not heard the last one yet: it will see both.
        let _ = self.written.try_send(());
    }
}

fn follow(path: String, commits: &Receiver<()>, is_large: &AtomicBool) {
    let mut database = Database { path, connection: None, file: None };
    while commits.recv().is_ok() {
        match database.catch_up() {
            Ok(pages) => is_large.store(pages > LARGE, Ordering::Relaxed),
            Err(error) => {
                database.connection = None;
                report(error.as_ref());
            }
        }
        thread::park_timeout(PAUSE);
    }
}

/// The database file, into which the log is copied.
struct Database {
    path: String,
    connection: Option<SqliteConnection>,
    /// Stays open for good: whoever closes a file gives up all locks that its process has on it, those
    /// of SQLite too (<https://sqlite.org/howtocorrupt.html>, 2.2).
    file: Option<ManuallyDrop<File>>,
}

impl Database {
    /// Copies what there is, and of a large log so much that few pages are left; returns how long it is.
    fn catch_up(&mut self) -> Result<i32, BoxedError> {
        let mut pages = self.checkpoint()?;
        for _ in 0..LOOKS {
            if pages <= LARGE {
                break;
            }
            self.sync()?;
            let before = std::mem::replace(&mut pages, self.checkpoint()?);
            if pages.saturating_sub(before) <= FEW {
                break;
            }
        }
        Ok(pages)
    }

    fn checkpoint(&mut self) -> Result<i32, BoxedError> {
        let opened = self.connection.take().map_or_else(|| connect(&self.path), Ok)?;
        Ok(checkpoint(self.connection.insert(opened))?)
    }

    /// Brings to the disk what was copied. SQLite itself does so only with the last of the log's pages,
    /// which its writer copies, and everybody would wait for all of them.
    fn sync(&mut self) -> Result<(), BoxedError> {
        if self.file.is_none() {
            self.file = Some(ManuallyDrop::new(File::open(&self.path)?));
        }
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        Ok(())
    }
}

fn connect(path: &str) -> Result<SqliteConnection, BoxedError> {
    let mut conn = SqliteConnection::establish(path)?;
    conn.batch_execute("PRAGMA synchronous = FULL")?;
    Ok(conn)
}

/// Copies as much as it can without waiting for anybody; returns how long the log is.
fn checkpoint(conn: &mut SqliteConnection) -> Result<i32, diesel::result::Error> {
    let told: Checkpoint = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(conn)?;
    Ok(told.log)
}

/// The log keeps everything: the next checkpoint tries again.
fn report(error: &dyn std::error::Error) {
    tracing::warn!(%error, "the write-ahead log could not be moved into the database file");
}
