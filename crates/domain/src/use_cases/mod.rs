//! What the service does. One use case a file; each decides, none does I/O of its own.

mod authenticate_key;
mod create_key;
mod create_payment;
pub mod fake_gateway;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod gateway_away;
mod ingest_transaction;
mod pay;
mod process_transactions;
mod recover_payments;
mod replays;
mod resolve_payment;
mod running;
mod store_opaque;
mod waiting;

pub use authenticate_key::{AuthenticateKey, Caller};
pub use create_key::{CreateKey, CreateKeyCommand};
pub use create_payment::{
    CreatePayment, CreatePaymentCommand, CreatePaymentError, CreatePaymentOutcome, CreateTerms,
};
pub use ingest_transaction::IngestTransaction;
pub use pay::{Paid, PayError, PayPayment, PayTerms, RecoveryTerms};
pub use process_transactions::{
    BegunTransactions, ProcessTransactions, ProcessingTerms, TransactionsUnderWay,
    WrittenTransactions,
};
pub use recover_payments::{RecoverPayments, Recovered};
pub use replays::Replays;
pub use resolve_payment::{Decision, Resolution, ResolveError, ResolvePayment, Resolved};
pub use running::RunningPayments;
pub use store_opaque::{OpaqueAnswer, StoreOpaqueCommand, StoreOpaqueError, StoreOpaqueOperation};
pub use waiting::{Waiters, Waiting};
