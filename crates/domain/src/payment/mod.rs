//! A payment: what was asked for, what became of it, and its timeline.

mod event;
mod request;
mod state;

pub use event::{Actor, EventKind, NewEvent, PaymentEvent, Timeline};
pub use request::{
    Description, FailurePolicy, FingerprintedRequest, InvalidMetadata, Metadata, Operation,
    PaymentMethod, PaymentRequest, Reference,
};
pub use state::{
    Failure, InvalidTransition, Payment, PaymentId, PaymentState, PaymentStatus, Verdict,
};
