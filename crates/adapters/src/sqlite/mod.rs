//! The embedded store: SQLite in write-ahead mode, every commit on disk, one writer at a time.

mod checkpoints;
mod connections;
mod session;
mod settling;
mod statements;
mod writer;

use crate::store::sql_store::SqlStore;

/// Payments and keys in a SQLite file on this machine.
pub type SqliteStore = SqlStore<connections::SqliteConnections>;
