//! What an operator sets about a store.

use std::time::Duration;

/// Sizes and limits of a store's connections.
#[derive(Clone)]
pub struct StoreOptions {
    /// Most connections at a time, those of the lane not counted.
    pub pool_size: usize,
    /// How long a caller waits for a connection, or for its turn in the lane.
    pub pool_wait: Duration,
    /// Where the server itself is, if the store's URL names a transaction pooler in front of it. May
    /// hold a password.
    pub direct_url: Option<String>,
    /// The lane that commits the writes of many callers together.
    pub lane: LaneOptions,
}

/// Sizes of the lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneOptions {
    /// How many connections write at a time, where there is enough to write; SQLite, which has one
    /// writer, has one.
    pub connections: usize,
    /// Most calls in one transaction.
    pub batch: usize,
    /// Most calls that wait for it; more are refused.
    pub queue: usize,
}
