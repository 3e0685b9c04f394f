//! The ports of `payonce_domain`, filled.
//!
//! [`postgres`] and [`sqlite`] hold payments and keys, [`gateway`] moves (simulated) money,
//! [`system`] knows time and chance, [`tls`] chooses cryptography, [`measurements`] says where
//! measurements go. What the two stores share is in `store`.
//!
//! This crate must not know HTTP routes or configuration files.

pub mod gateway;
pub mod measurements;
pub mod migrations;
pub mod postgres;
pub mod sqlite;
mod store;
pub mod system;
pub mod tls;

pub use store::{MeasuredRepository, PoolUse, Pooled, StoreOptions};
