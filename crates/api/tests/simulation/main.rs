//! `payonce simulate`: that it passes a service which keeps its promises, on both stores, and fails
//! every kind of service which does not.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod endings;
mod proofs;
mod run;
mod stores;
mod stub;
mod usage;

payonce_testing::promises! {
    by crate::stores::keep;
    stores {
        a_service_of_its_own_pays_every_payment_once,
    }
}
