//! Two services: one pays, the other is its gateway.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod collector;
mod instances;
mod metrics;
mod modes;
mod payments;
mod protocol;
mod services;
mod traces;
