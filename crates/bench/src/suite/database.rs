//! Databases of a cell's own; knows no table but by the names it is given.

use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tempfile::TempDir;
use url::Url;

use crate::Failure;
use crate::books::count;

/// Numbers them within this process.
static MADE: AtomicU32 = AtomicU32::new(0);

/// What leaves a server with a gigabyte of log files to write again, as any has that was in use: a new one
/// makes each file when it is needed, and all commits wait for that.
const USE: [&str; 6] = [
    "CREATE TABLE used AS SELECT repeat(md5(n::text), 30) AS filler FROM generate_series(1, 1200000) AS n",
    "CHECKPOINT",
    "UPDATE used SET filler = filler || 'a' WHERE ctid < '(60000,0)'",
    "CHECKPOINT",
    "DROP TABLE used",
    "CHECKPOINT",
];

/// A database that nobody else uses, gone when it is dropped.
pub struct Database {
    url: String,
    place: Place,
}

enum Place {
    Server { url: String, name: String },
    File { _folder: TempDir },
}

impl Database {
    /// An empty one on a server.
    pub fn on_server(server: &str) -> Result<Self, Failure> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench_{}_{number}", process::id());
        run(server, &format!("CREATE DATABASE {name}"))?;
        let mut url = Url::parse(server)?;
        url.set_path(&name);
        Ok(Self { url: url.into(), place: Place::Server { url: server.to_owned(), name } })
    }

    /// Uses a server for a while, so that it is measured as it will be and not as it began.
    pub fn use_server(server: &str) -> Result<(), Failure> {
        USE.iter().try_for_each(|statement| run(server, statement))
    }

    /// A file that does not exist yet, in a folder of its own.
    pub fn in_file(scratch: &Path) -> Result<Self, Failure> {
        let folder = TempDir::new_in(scratch)?;
        let url = format!("sqlite://{}", folder.path().join("payonce.db").display());
        Ok(Self { url, place: Place::File { _folder: folder } })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements on a server's database, each in a transaction of its own.
    pub fn run(&self, statements: &[&str]) -> Result<(), Failure> {
        statements.iter().try_for_each(|statement| run(&self.url, statement))
    }

    /// Lets a server's planner know what the tables hold, as they do in a database that is in use.
    pub fn analyze(&self) -> Result<(), Failure> {
        match self.place {
            Place::Server { .. } => self.run(&["ANALYZE"]),
            Place::File { .. } => Ok(()),
        }
    }

    /// One number that a statement names `n`.
    pub fn number(&self, statement: &str) -> Result<i64, Failure> {
        count(&self.url, statement)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Server { url, name } = &self.place {
            // The whole server goes with the run; this only keeps the disk from filling before.
            drop(run(url, &format!("DROP DATABASE {name} WITH (FORCE)")));
        }
    }
}

fn run(url: &str, statements: &str) -> Result<(), Failure> {
    Ok(PgConnection::establish(url)?.batch_execute(statements)?)
}
