//! What can be measured: each cell of the plan by name; knows nothing of how.

use std::fmt::{self, Display, Formatter};

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// A part of the plan that can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Fresh payments on PostgreSQL, and pgbench.
    Fresh,
    /// Replays, and the bare handler.
    Replay,
    /// Ingestion and processing of webhooks.
    Webhooks,
    /// Fresh payments on SQLite.
    Sqlite,
    /// Fresh payments beside many stored ones.
    Growth,
    /// Memory with empty caches.
    Memory,
    /// A thousand waiting duplicates.
    Herd,
}

/// Where payments are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// PostgreSQL with its data on the machine's disk.
    Disk,
    /// PostgreSQL with its data in memory.
    Tmpfs,
    /// A file on the machine's disk.
    Sqlite,
}

/// What pgbench runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Script {
    /// A payment's two transactions.
    Single,
    /// The two transactions of 64 payments at once.
    Batched,
}

/// Where a replayed answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The process itself.
    Memory,
    /// Redis, nothing being kept in the process.
    Redis,
    /// The database, nothing being kept anywhere else.
    Postgres,
}

/// One thing that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Fresh payments by the service.
    Fresh {
        /// Where they are kept.
        store: Store,
        /// How many connections send them.
        connections: u32,
        /// How long the gateway takes, in milliseconds.
        gateway: u32,
    },
    /// The same rows by pgbench.
    Pgbench {
        /// In what transactions.
        script: Script,
        /// By how many clients.
        clients: u32,
    },
    /// A handler that parses and hashes, and does nothing else.
    Bare,
    /// Payments that were paid before.
    Replays(Source),
    /// Webhooks; of ten, so many were sent before.
    Webhooks {
        /// How many.
        duplicates: u32,
    },
    /// Fresh payments beside so many million stored ones.
    Growth {
        /// How many million.
        millions: u32,
    },
    /// Fresh payments with nothing cached.
    Memory {
        /// How many connections send them.
        connections: u32,
    },
    /// A thousand duplicates that wait, and other keys.
    Herd,
}

impl Cell {
    /// Fresh payments without a gateway's latency.
    pub const fn fresh(store: Store, connections: u32) -> Self {
        Self::Fresh { store, connections, gateway: 0 }
    }

    /// What it belongs to.
    pub fn group(self) -> Group {
        match self {
            Self::Fresh { store: Store::Sqlite, .. } => Group::Sqlite,
            Self::Fresh { .. } | Self::Pgbench { .. } => Group::Fresh,
            Self::Bare | Self::Replays(_) => Group::Replay,
            Self::Webhooks { .. } => Group::Webhooks,
            Self::Growth { .. } => Group::Growth,
            Self::Memory { .. } => Group::Memory,
            Self::Herd => Group::Herd,
        }
    }
}

impl Display for Store {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "PostgreSQL on disk",
            Self::Tmpfs => "PostgreSQL on tmpfs",
            Self::Sqlite => "SQLite",
        })
    }
}

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh { store, connections, gateway: 0 } => {
                write!(f, "fresh payments, {store}, {connections} connections")
            }
            Self::Fresh { store, connections, gateway } => {
                write!(
                    f,
                    "fresh payments, {store}, {connections} connections, gateway {gateway} ms"
                )
            }
            Self::Pgbench { script: Script::Single, clients } => {
                write!(f, "pgbench, one payment a transaction, {clients} clients")
            }
            Self::Pgbench { script: Script::Batched, clients } => {
                write!(f, "pgbench, 64 payments a transaction, {clients} clients")
            }
            Self::Bare => f.write_str("bare handler, 64 connections"),
            Self::Replays(Source::Memory) => f.write_str("replays from memory, 64 connections"),
            Self::Replays(Source::Redis) => f.write_str("replays from Redis, 64 connections"),
            Self::Replays(Source::Postgres) => {
                f.write_str("replays from PostgreSQL, 64 connections")
            }
            Self::Webhooks { duplicates: 0 } => f.write_str("webhooks, 64 connections"),
            Self::Webhooks { duplicates } => {
                write!(f, "webhooks, {duplicates} of 10 sent before, 64 connections")
            }
            Self::Growth { millions } => {
                write!(f, "fresh payments beside {millions} million, 64 connections")
            }
            Self::Memory { connections } => {
                write!(f, "memory, caches empty, {connections} connections")
            }
            Self::Herd => f.write_str("other keys beside 1000 waiting duplicates"),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
