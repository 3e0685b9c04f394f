//! The pool, and how work gets onto a connection.

use std::sync::Arc;
use std::time::Duration;

use deadpool_diesel::postgres::{Manager, Pool};
use deadpool_diesel::{ManagerConfig, Runtime};
use diesel::Connection;
use diesel::pg::PgConnection;
use payonce_domain::idempotency::{Fingerprint, RecordId, SettledAnswer};
use payonce_domain::ports::{
    AnnouncedTransaction, BoxedError, Ingested, OpenPayment, Opened, RepositoryError, Settle,
    Settled, Tell,
};
use url::Url;

use super::lane::{
    Announcing, Call, Look, Opening, OpeningEnd, PostgresBatches, Queued, Repeats, Reply, SettledAt,
};
use super::notifications;
use super::pooler::hands_sessions_around;
use super::session::Session;
use crate::lane::Lane;
use crate::measurements::Measurements;
use crate::store::PoolUse;
use crate::store::StoreOptions;
use crate::store::connections::Connections;
use crate::store::error::StoreError;
use crate::store::pool::{run_again_when_transient, set_up_by};
use crate::store::settled_row::settled;
use crate::store::transaction_queue;
use crate::store::transactions;

/// What libpq is told unless the URL says otherwise: notice a dead server in seconds.
const PARAMETERS: [(&str, &str); 6] = [
    ("application_name", "payonce"),
    ("connect_timeout", "3"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
];

/// Connections to one PostgreSQL database.
#[derive(Clone)]
pub struct PostgresConnections {
    pool: Pool,
    lane: Arc<Lane<Call>>,
    repeats: Repeats,
    session: Session,
    url: String,
    /// Where the server itself is: for what needs a session that lasts.
    direct_url: String,
}

impl Connections for PostgresConnections {
    type Connection = PgConnection;

    fn prepare(
        url: &str,
        options: StoreOptions,
        measurements: &Measurements,
    ) -> Result<Self, BoxedError> {
        let url = with_parameters(url)?;
        let direct_url = options.direct_url.as_deref().map(with_parameters).transpose()?;
        let is_pooled = direct_url.is_some();
        let session = Session::new(is_pooled);
        let of_pool = session.clone();
        let manager = Manager::from_config(url.as_str(), Runtime::Tokio1, ManagerConfig::default());
        let pool = Pool::builder(manager)
            .max_size(options.pool_size)
            .wait_timeout(Some(options.pool_wait))
            .create_timeout(Some(Duration::from_secs(4)))
            .recycle_timeout(Some(Duration::from_secs(2)))
            .runtime(Runtime::Tokio1)
            .post_create(set_up_by(move |conn: &mut PgConnection| of_pool.begin(conn)))
            .build()?;
        let repeats = Repeats::default();
        let batches =
            |_| PostgresBatches::new(url.clone(), is_pooled, repeats.clone(), measurements);
        let batches = (0..options.lane.connections.max(1)).map(batches);
        let lane = Lane::start(&options.lane, options.pool_wait, measurements, batches)?;
        let direct_url = direct_url.unwrap_or_else(|| url.clone());
        Ok(Self { pool, lane: Arc::new(lane), repeats, session, url, direct_url })
    }

    fn expects_repeats(&self) -> bool {
        self.repeats.are_expected()
    }

    async fn replay(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> Result<Option<SettledAnswer>, RepositoryError> {
        let id = Box::new(record.clone());
        // Where the batch failed, opening tells what there is.
        let known = self.lane.call(|reply| Call::Look(Look { id, reply })).await?;
        let found = known.and_then(|known| known.answer());
        Ok(found.and_then(|found| found.replay(fingerprint)))
    }

    async fn open(&self, call: Arc<OpenPayment>) -> Result<Opened, RepositoryError> {
        // What is prepared here is nobody else's wait.
        let call = Box::new(Opening::of(call));
        let queued = |reply| Call::Open(Queued { call, reply });
        let Reply { call, end } = self.lane.call(queued).await?;
        match end {
            Some(OpeningEnd::Inserted(now)) => return Ok(call.opened(now)),
            Some(OpeningEnd::Known(record)) => {
                if let Some(replayed) = call.replayed(*record) {
                    return Ok(replayed);
                }
            }
            None => {}
        }
        let call = call.call;
        self.alone(move |conn| transactions::open(conn, &call)).await
    }

    async fn settle(&self, call: Box<Settle>) -> Result<Settled, RepositoryError> {
        let queued = |reply| Call::Settle(Queued { call, reply });
        let Reply { call, end } = self.lane.call(queued).await?;
        match end {
            Some(SettledAt(now)) => {
                let Settle { answer, retention, opened_by, .. } = *call;
                Ok(settled(answer, retention, opened_by, now))
            }
            None => self.alone(move |conn| transactions::settle(conn, &call)).await,
        }
    }

    async fn ingest(&self, call: AnnouncedTransaction) -> Result<Ingested, RepositoryError> {
        let call = Box::new(Announcing::of(call));
        let queued = |reply| Call::Ingest(Queued { call, reply });
        let Reply { call, end } = self.lane.call(queued).await?;
        match end {
            Some(ingested) => Ok(ingested),
            None => {
                let call = call.call;
                self.alone(move |conn| transaction_queue::ingest(conn, &call)).await
            }
        }
    }

    async fn write<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: Fn(&mut PgConnection) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    {
        let session = self.session.clone();
        let work = move |conn: &mut PgConnection| session.transaction(conn, &work);
        run_again_when_transient(&self.pool, work).await
    }

    async fn read<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: Fn(&mut PgConnection) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    {
        let session = self.session.clone();
        let work = move |conn: &mut PgConnection| session.run(conn, &work);
        run_again_when_transient(&self.pool, work).await
    }

    async fn apart<T, W>(&self, work: W) -> Result<T, BoxedError>
    where
        T: Send + 'static,
        W: FnOnce(&mut PgConnection) -> Result<T, BoxedError> + Send + 'static,
    {
        let url = self.direct_url.clone();
        tokio::task::spawn_blocking(move || work(&mut PgConnection::establish(&url)?)).await?
    }

    async fn meet_a_pooler(&self) -> Result<bool, BoxedError> {
        if self.session.is_pooled() {
            return Ok(false);
        }
        let url = self.url.clone();
        tokio::task::spawn_blocking(move || hands_sessions_around(&url)).await?
    }

    async fn listen(&self, tell: Tell) {
        notifications::listen(&self.direct_url, tell).await;
    }

    fn pool_use(&self) -> Vec<PoolUse> {
        vec![PoolUse::of("shared", &self.pool), self.lane.pool_use("lane")]
    }

    fn close(&self) {
        self.lane.close();
        self.pool.close();
    }
}

impl PostgresConnections {
    /// Runs a call that could not share a transaction. Few do: what waits for the lane is small, of
    /// which there are many, without room for this.
    async fn alone<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: Fn(&mut PgConnection) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    {
        Box::pin(self.write(work)).await
    }
}

fn with_parameters(url: &str) -> Result<String, BoxedError> {
    let mut url = Url::parse(url)?;
    for (name, value) in PARAMETERS {
        if !url.query_pairs().any(|(given, _)| given == name) {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    // libpq does not read `+` as a space.
    let query = url.query().unwrap_or_default().replace('+', "%20");
    url.set_query(Some(&query));
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_url_says_is_kept_and_the_rest_is_added() {
        let url = with_parameters("postgres://u@h/db?connect_timeout=9&options=-c a=b").unwrap();
        assert!(url.contains("connect_timeout=9"));
        assert!(!url.contains("connect_timeout=3"));
        assert!(url.contains("tcp_user_timeout=15000"));
        assert!(!url.contains('+'));
    }
}
