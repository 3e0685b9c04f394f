//! Spells final answers.

use crate::account::RequestId;
use crate::idempotency::StoredAnswer;
use crate::payment::Payment;

/// Builds the bytes that are stored and replayed, in the wire format of the payment's operation.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait AnswerFormat: Send + Sync {
    /// The answer of a payment in a final state, to the request that opened it.
    fn final_answer(&self, payment: &Payment, request_id: &RequestId) -> StoredAnswer;
}
