//! What the pools of both stores do alike.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use deadpool::managed::{self, Hook, HookError, Pool};
use deadpool_diesel::{Connection, Manager};
use diesel::QueryResult;
use payonce_domain::ports::RepositoryError;

use super::error::StoreError;

/// Sets up every new connection.
pub fn set_up_by<C>(
    set_up: impl Fn(&mut C) -> QueryResult<()> + Clone + Send + Sync + 'static,
) -> Hook<Manager<C>>
where
    C: diesel::Connection + Send + 'static,
    Manager<C>: managed::Manager<Type = Connection<C>, Error = deadpool_diesel::Error>,
{
    Hook::async_fn(move |conn: &mut Connection<C>, _| {
        let set_up = set_up.clone();
        Box::pin(async move {
            let set = conn.interact(move |conn: &mut C| set_up(conn)).await;
            set.map_err(|error| HookError::message(error.to_string()))?
                .map_err(|error| HookError::message(error.to_string()))
        })
    })
}

/// Runs `work` on a pooled connection, up to three times when it met another transaction or a
/// dead connection. It runs to its end even when the caller is dropped.
pub async fn run_again_when_transient<C, T, W>(
    pool: &Pool<Manager<C>>,
    work: W,
) -> Result<T, RepositoryError>
where
    C: diesel::Connection + Send + 'static,
    Manager<C>: managed::Manager<Type = Connection<C>, Error = deadpool_diesel::Error>,
    T: Send + 'static,
    W: Fn(&mut C) -> Result<T, StoreError> + Clone + Send + Sync + 'static,
{
    let attempt = || async {
        let work = work.clone();
        let conn = pool.get().await.map_err(StoreError::Pool)?;
        conn.interact(move |conn| work(conn)).await.map_err(|stopped| StoreError::from(&stopped))?
    };
    // What lasts longer than a moment is for the caller's next request.
    let retry = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(20))
        .with_max_times(2)
        .with_jitter();
    attempt.retry(retry).when(StoreError::is_transient).await.map_err(RepositoryError::from)
}
