//! What an operator sets about a store.

use std::time::Duration;

/// Sizes and limits of a store's connections.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// Most connections at a time.
    pub pool_size: usize,
    /// How long a caller waits for a connection.
    pub pool_wait: Duration,
}
