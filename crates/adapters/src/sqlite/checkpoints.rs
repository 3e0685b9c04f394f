//! Moves what was written ahead into the database file, on a connection of its own: commits then
//! never wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Integer;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl};

/// How long the log gathers between two looks: each costs two syncs.
const PAUSE: Duration = Duration::from_millis(200);

/// So many pages of 4 KiB in the log make its writer empty it: while somebody writes, nobody else
/// can.
const LARGE: i32 = 16_384;

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
        let work = move || follow(&path, &commits, &large);
        thread::Builder::new().name("payonce-checkpoints".to_owned()).spawn(work)?;
        Ok(Self { written, is_large })
    }

    /// Call this after each commit, on the connection that wrote.
    pub fn committed(&self, conn: &mut SqliteConnection) {
        if self.is_large.swap(false, Ordering::Relaxed) {
            report(checkpoint(conn).map(|_| ()));
        }
        // The thread has not heard the last one yet: it will see both.
        let _ = self.written.try_send(());
    }
}

fn follow(path: &str, commits: &Receiver<()>, is_large: &AtomicBool) {
    let mut connection = None;
    while commits.recv().is_ok() {
        let opened = connection.take().map_or_else(|| open(path), Ok);
        let done = opened.and_then(|mut conn| {
            let pages = checkpoint(&mut conn)?;
            connection = Some(conn);
            Ok(pages)
        });
        if let Ok(pages) = &done {
            is_large.store(*pages > LARGE, Ordering::Relaxed);
        }
        report(done.map(|_| ()));
        thread::park_timeout(PAUSE);
    }
}

fn open(path: &str) -> Result<SqliteConnection, diesel::result::Error> {
    let mut conn = SqliteConnection::establish(path)
        .map_err(|error| diesel::result::Error::QueryBuilderError(error.into()))?;
    conn.batch_execute("PRAGMA synchronous = FULL")?;
    Ok(conn)
}

/// Copies as much as it can without waiting for anybody; returns how long the log is.
fn checkpoint(conn: &mut SqliteConnection) -> Result<i32, diesel::result::Error> {
    let told: Checkpoint = diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(conn)?;
    Ok(told.log)
}

/// The log keeps everything: the next checkpoint tries again.
fn report(done: Result<(), diesel::result::Error>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database file");
    }
}
