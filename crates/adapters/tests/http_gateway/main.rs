//! The gateway over HTTP against a scripted server: every row of the protocol's tables, and the
//! ways in which a network breaks.
#![expect(clippy::expect_used, reason = "a test that cannot go on must fail")]

mod charge;
mod look_up;
mod requests;
mod scripted;
mod transport;
mod void;
