//! The production store: PostgreSQL 15 and newer through Diesel.

mod connections;
mod lane;
mod notifications;
mod pooler;
mod session;
mod statements;

use crate::store::sql_store::SqlStore;

/// Payments and keys in a PostgreSQL database.
pub type PostgresStore = SqlStore<connections::PostgresConnections>;
