//! The pool, and how work gets onto a connection.

use std::time::Duration;

use deadpool_diesel::postgres::{Manager, Pool};
use deadpool_diesel::{ManagerConfig, Runtime};
use diesel::Connection;
use diesel::pg::PgConnection;
use payonce_domain::ports::{BoxedError, RepositoryError, Tell};

use url::Url;

use super::notifications;
use crate::store::PoolUse;
use crate::store::StoreOptions;
use crate::store::connections::Connections;
use crate::store::error::StoreError;
use crate::store::pool::{run_again_when_transient, session};

/// Limits on whatever a statement may wait for. A transaction of the protocol takes milliseconds.
const SESSION: &str = "SET statement_timeout = '2s'; SET lock_timeout = '500ms'; \
     SET idle_in_transaction_session_timeout = '5s'; \
     SET default_transaction_isolation = 'read committed'; SET TimeZone = 'UTC'";

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
    url: String,
}

impl Connections for PostgresConnections {
    type Connection = PgConnection;

    fn prepare(url: &str, options: StoreOptions) -> Result<Self, BoxedError> {
        let url = with_parameters(url)?;
        let manager = Manager::from_config(url.as_str(), Runtime::Tokio1, ManagerConfig::default());
        let pool = Pool::builder(manager)
            .max_size(options.pool_size)
            .wait_timeout(Some(options.pool_wait))
            .create_timeout(Some(Duration::from_secs(4)))
            .recycle_timeout(Some(Duration::from_secs(2)))
            .runtime(Runtime::Tokio1)
            .post_create(session(SESSION))
            .build()?;
        Ok(Self { pool, url })
    }

    async fn write<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: Fn(&mut PgConnection) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    {
        let work = move |conn: &mut PgConnection| conn.transaction(|conn| work(conn));
        run_again_when_transient(&self.pool, work).await
    }

    async fn read<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: Fn(&mut PgConnection) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
    {
        run_again_when_transient(&self.pool, work).await
    }

    async fn apart<T, W>(&self, work: W) -> Result<T, BoxedError>
    where
        T: Send + 'static,
        W: FnOnce(&mut PgConnection) -> Result<T, BoxedError> + Send + 'static,
    {
        let url = self.url.clone();
        tokio::task::spawn_blocking(move || work(&mut PgConnection::establish(&url)?)).await?
    }

    async fn listen(&self, tell: Tell) {
        notifications::listen(&self.url, tell).await;
    }

    fn pool_use(&self) -> Vec<PoolUse> {
        vec![PoolUse::of("shared", &self.pool)]
    }

    fn close(&self) {
        self.pool.close();
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
