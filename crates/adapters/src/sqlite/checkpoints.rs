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
use memmap2::MmapOptions;
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
const LOOKS: u32 = 8;

/// So many pieces of the file are brought to the disk one after the other at the first look, and a
/// quarter as many at each further one, which finds less.
const PIECES: u64 = 64;

/// No piece is smaller, in bytes: each costs a sync.
const SMALLEST: u64 = 512 * 1024;

/// How long the disk is left to the writer between two pieces. Its commits wait for the one that is
/// being written.
const GAP: Duration = Duration::from_millis(2);

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
        for look in 0..LOOKS {
            if pages <= LARGE {
                break;
            }
            self.sync(PIECES >> (2 * look))?;
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

    /// Brings to the disk what was copied, in so many pieces. SQLite itself does so only with the last
    /// of the log's pages, which its writer copies, and everybody would wait for all of them.
    fn sync(&mut self, pieces: u64) -> Result<(), BoxedError> {
        let file = self.file()?;
        let length = file.metadata()?.len();
        let piece = (length / pieces.max(1)).max(SMALLEST);
        let mut synced = 0;
        while synced < length {
            if synced > 0 {
                thread::park_timeout(GAP);
            }
            let range = usize::try_from(piece.min(length - synced))?;
            // A mapping is what the system syncs parts of files by. Nothing is read through it.
            let map = MmapOptions::new().offset(synced).len(range).map_raw_read_only(file)?;
            map.flush_range(0, range)?;
            synced += piece;
        }
        Ok(())
    }

    /// Open for writing, although nothing is written: of others the system syncs no mapping.
    fn file(&mut self) -> Result<&File, BoxedError> {
        let opened = match self.file.take() {
            Some(file) => file,
            None => ManuallyDrop::new(File::options().read(true).write(true).open(&self.path)?),
        };
        Ok(self.file.insert(opened))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_log_is_copied_whole_into_a_file_of_many_pieces() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name| folder.path().join(name).to_str().expect("a path").to_owned();
        let mut writer = connect(&path("it.db")).expect("it opens");
        let log = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; \
                   CREATE TABLE held (it blob)";
        writer.batch_execute(log).expect("it is written");
        let megabyte = "INSERT INTO held VALUES (zeroblob(1048576))";
        for _ in 0..65 {
            writer.batch_execute(megabyte).expect("it is written");
        }

        let mut database = Database { path: path("it.db"), connection: None, file: None };
        let pages = database.catch_up().expect("it is copied");
        assert!(pages > LARGE, "{pages}");

        std::fs::copy(path("it.db"), path("copy.db")).expect("it is copied");
        let mut copy = connect(&path("copy.db")).expect("it opens");
        let rows = diesel::sql_query("SELECT count(*) AS log FROM held");
        assert_eq!(rows.get_result::<Checkpoint>(&mut copy).expect("it is read").log, 65);
    }
}
