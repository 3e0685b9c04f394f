//! One connection that writes, some that read.

use std::time::Duration;

use deadpool_diesel::sqlite::{Manager, Pool};
use deadpool_diesel::{ManagerConfig, Runtime};
use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::sqlite::SqliteConnection;
use payonce_domain::ports::{BoxedError, RepositoryError, Tell};

use crate::store::PoolUse;
use crate::store::StoreOptions;
use crate::store::connections::Connections;
use crate::store::error::StoreError;
use crate::store::pool::{run_again_when_transient, session};

/// Write-ahead log; a commit returns once it is on disk; a writer of another process is waited
/// for.
const SESSION: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";

/// Connections to one SQLite file.
///
/// SQLite has one writer at a time, and those who wait for it poll; a pool of one lets them queue
/// instead.
#[derive(Clone)]
pub struct SqliteConnections {
    writer: Pool,
    readers: Pool,
    path: String,
}

impl Connections for SqliteConnections {
    type Connection = SqliteConnection;

    fn prepare(url: &str, options: StoreOptions) -> Result<Self, BoxedError> {
        let path = url.strip_prefix("sqlite://").unwrap_or(url).to_owned();
        if path.is_empty() {
            return Err("the URL names no file".into());
        }
        if let Some(folder) = std::path::Path::new(&path).parent() {
            std::fs::create_dir_all(folder)?;
        }
        let pool = |size| {
            let manager =
                Manager::from_config(path.as_str(), Runtime::Tokio1, ManagerConfig::default());
            Pool::builder(manager)
                .max_size(size)
                .wait_timeout(Some(options.pool_wait))
                .create_timeout(Some(Duration::from_secs(6)))
                .recycle_timeout(Some(Duration::from_secs(2)))
                .runtime(Runtime::Tokio1)
                .post_create(session(SESSION))
                .build()
        };
        Ok(Self { writer: pool(1)?, readers: pool(options.pool_size)?, path })
    }

    /// Takes the write lock at the beginning: a transaction that reads first and writes later
    /// could fail at once instead of waiting.
    async fn write<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: Fn(&mut SqliteConnection) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    {
        let work = move |conn: &mut SqliteConnection| conn.immediate_transaction(|conn| work(conn));
        run_again_when_transient(&self.writer, work).await
    }

    async fn read<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: Fn(&mut SqliteConnection) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    {
        run_again_when_transient(&self.readers, work).await
    }

    async fn apart<T, W>(&self, work: W) -> Result<T, BoxedError>
    where
        T: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<T, BoxedError> + Send + 'static,
    {
        let path = self.path.clone();
        let on_own_connection = move || {
            let mut conn = SqliteConnection::establish(&path)?;
            conn.batch_execute(SESSION)?;
            work(&mut conn)
        };
        tokio::task::spawn_blocking(on_own_connection).await?
    }

    async fn listen(&self, _: Tell) {}

    fn pool_use(&self) -> Vec<PoolUse> {
        vec![PoolUse::of("writer", &self.writer), PoolUse::of("readers", &self.readers)]
    }

    fn close(&self) {
        self.writer.close();
        self.readers.close();
    }
}
