//! Two services: one pays, the other is its gateway.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod collector;
mod instances;
mod left_open;
mod metrics;
mod modes;
mod orders;
mod payments;
mod protocol;
mod services;
mod start;
mod traces;
mod wiretap;
