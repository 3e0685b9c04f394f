//! What the PostgreSQL and the SQLite store share: schema, rows, and the protocol's transactions.
//!
//! The statements differ between the two; the order in which they run, and the rules they obey,
//! do not. The rules themselves are the domain's.

pub mod api_keys;
pub mod backlog;
pub mod charge_ledger;
pub mod connections;
pub mod durability;
pub mod ending;
pub mod error;
pub mod measured;
pub mod opaque;
pub mod options;
pub mod pool;
pub mod pool_use;
pub mod prepared;
pub mod queries;
pub mod rows;
pub mod schema;
pub mod settled_row;
pub mod sql_store;
pub mod statements;
pub mod timeline;
pub mod transaction_queue;
pub mod transactions;
pub mod upkeep;
pub mod values;

pub use measured::MeasuredRepository;
pub use options::StoreOptions;
pub use pool_use::{PoolUse, Pooled};
pub use upkeep::Upkeep;
