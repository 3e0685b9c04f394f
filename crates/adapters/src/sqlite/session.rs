//! What holds of every connection to the file.

use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};
use diesel::QueryResult;
use diesel::connection::SimpleConnection;
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;

/// A writer of another process is waited for, so many milliseconds.
const PATIENCE: &str = "PRAGMA busy_timeout = 5000";

/// Readers and the writer do not wait for each other.
const WRITE_AHEAD_LOG: &str = "PRAGMA journal_mode = WAL";

/// A commit returns once it is on disk.
const SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";

/// Sets a new connection up.
pub fn begin(conn: &mut SqliteConnection) -> QueryResult<()> {
    conn.batch_execute(PATIENCE)?;
    // Of those who give a new file its log at the same time, SQLite lets none wait for another: each has
    // read by then, and whoever waits while it reads could wait for ever.
    let give_log = || conn.batch_execute(WRITE_AHEAD_LOG);
    let retry = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(1))
        .with_max_delay(Duration::from_millis(50))
        .without_max_times()
        .with_total_delay(Some(Duration::from_secs(5)))
        .with_jitter();
    give_log.retry(retry).when(is_locked).call()?;
    conn.batch_execute(SETTINGS)
}

/// The driver tells no code of SQLite's.
fn is_locked(error: &Error) -> bool {
    matches!(error, Error::DatabaseError(_, told) if told.message() == "database is locked")
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use diesel::Connection;

    use super::*;

    #[test]
    fn many_may_give_new_files_their_log_at_the_same_time() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in 0..100 {
            let path = folder.path().join(format!("{file}.db"));
            let path = path.to_str().expect("a path");
            let together = Barrier::new(8);
            let begun = || {
                let mut conn = SqliteConnection::establish(path).expect("it opens");
                together.wait();
                begin(&mut conn)
            };
            let all: Vec<QueryResult<()>> = thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(begun)).collect();
                threads.into_iter().map(|one| one.join().expect("it ends")).collect()
            });
            assert!(all.iter().all(Result::is_ok), "file {file}: {all:?}");
        }
    }
}
