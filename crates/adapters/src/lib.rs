//! The ports of `payonce_domain`, filled.
//!
//! [`postgres`] and [`sqlite`] hold payments, keys and announced transactions, [`gateway`] moves
//! (simulated) money, [`processing`] is what becomes of a transaction, [`local_rate_limiter`] and
//! [`redis`] keep buckets of tokens, [`replay_cache`] and [`redis`] keep settled answers at hand,
//! [`remembered_api_keys`] spares the store questions, [`system`] knows time and chance, [`tls`]
//! chooses cryptography, [`measurements`] says where measurements go. What the two stores share is
//! in `store`, how writes share a transaction in `lane`.
//!
//! This crate must not know HTTP routes or configuration files.

pub mod gateway;
mod lane;
pub mod local_rate_limiter;
pub mod measurements;
pub mod migrations;
pub mod postgres;
pub mod processing;
pub mod redis;
pub mod remembered_api_keys;
pub mod replay_cache;
pub mod sqlite;
mod store;
pub mod system;
pub mod tls;
mod wakes;

pub use store::options::LaneOptions;
pub use store::{MeasuredRepository, PoolUse, Pooled, StoreOptions, Upkeep};
