//! What the service does. One use case a file; each decides, none does I/O of its own.

mod create_payment;
#[cfg(test)]
pub(crate) mod fixtures;
mod pay;
mod waiting;

pub use create_payment::{
    CreatePayment, CreatePaymentCommand, CreatePaymentError, CreatePaymentOutcome, CreateTerms,
};
pub use pay::{Paid, PayPayment, PayTerms};
pub use waiting::{Waiters, Waiting};
