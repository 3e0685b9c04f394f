//! One connection that writes, some that read.

use std::sync::Arc;
use std::time::Duration;

use deadpool_diesel::sqlite::{Manager, Pool};
use deadpool_diesel::{ManagerConfig, Runtime};
use diesel::Connection;
use diesel::sqlite::SqliteConnection;
use payonce_domain::ports::{BoxedError, RepositoryError, Settle, Settled, Tell};

use super::writer::{Queued, SqliteBatches, Write};
use super::{session, settling};
use crate::lane::Lane;
use crate::measurements::Measurements;
use crate::store::PoolUse;
use crate::store::StoreOptions;
use crate::store::connections::Connections;
use crate::store::error::StoreError;
use crate::store::pool::{run_again_when_transient, set_up_by};

/// Connections to one SQLite file.
///
/// SQLite has one writer at a time, and those who wait for it poll; a lane lets them queue instead,
/// and share its commits.
#[derive(Clone)]
pub struct SqliteConnections {
    writer: Arc<Lane<Box<dyn Write>>>,
    readers: Pool,
    path: String,
}

impl Connections for SqliteConnections {
    type Connection = SqliteConnection;

    fn prepare(
        url: &str,
        options: StoreOptions,
        measurements: &Measurements,
    ) -> Result<Self, BoxedError> {
        let path = url.strip_prefix("sqlite://").unwrap_or(url).to_owned();
        if path.is_empty() {
            return Err("the URL names no file".into());
        }
        if let Some(folder) = std::path::Path::new(&path).parent() {
            std::fs::create_dir_all(folder)?;
        }
        let manager =
            Manager::from_config(path.as_str(), Runtime::Tokio1, ManagerConfig::default());
        let readers = Pool::builder(manager)
            .max_size(options.pool_size)
            .wait_timeout(Some(options.pool_wait))
            .create_timeout(Some(Duration::from_secs(6)))
            .recycle_timeout(Some(Duration::from_secs(2)))
            .runtime(Runtime::Tokio1)
            .post_create(set_up_by(session::begin))
            .build()?;
        let batches = SqliteBatches::new(path.clone())?;
        let writer = Lane::start(&options.lane, options.pool_wait, measurements, [batches])?;
        Ok(Self { writer: Arc::new(writer), readers, path })
    }

    async fn settle(&self, call: Box<Settle>) -> Result<Settled, RepositoryError> {
        self.write(move |conn| settling::settle(conn, &call)).await
    }

    async fn write<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: Fn(&mut SqliteConnection) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    {
        let queued = |reply| Box::new(Queued { work, done: None, reply }) as Box<dyn Write>;
        self.writer.call(queued).await?
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
            session::begin(&mut conn)?;
            work(&mut conn)
        };
        tokio::task::spawn_blocking(on_own_connection).await?
    }

    async fn listen(&self, _: Tell) {}

    fn pool_use(&self) -> Vec<PoolUse> {
        vec![self.writer.pool_use("writer"), PoolUse::of("readers", &self.readers)]
    }

    fn close(&self) {
        self.writer.close();
        self.readers.close();
    }
}
