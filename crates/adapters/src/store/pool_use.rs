//! How much of a store's connections is used.

use deadpool::managed;
use deadpool::managed::Pool;

/// One pool of connections, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// What its connections are for.
    pub pool: &'static str,
    /// Most connections at a time.
    pub limit: usize,
    /// Connections that are open.
    pub open: usize,
    /// Of them, those at work.
    pub in_use: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

impl PoolUse {
    /// Reads a pool.
    pub fn of<M: managed::Manager>(name: &'static str, pool: &Pool<M>) -> Self {
        let status = pool.status();
        Self {
            pool: name,
            limit: status.max_size,
            open: status.size,
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }
}

/// A store that tells how much of its connections is used.
pub trait Pooled: Send + Sync {
    /// Each pool, as it is now; asks nobody.
    fn pool_use(&self) -> Vec<PoolUse>;
}
