//! Announced transactions and the real binary: kills, stops, several processes, operators.
//!
//! The referee is the database: a trigger notes every write that makes a transaction processed.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod operators;
mod processes;
mod scene;
