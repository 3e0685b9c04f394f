//! Final answers, in the wire format of each operation.

use payonce_domain::account::RequestId;
use payonce_domain::idempotency::StoredAnswer;
use payonce_domain::payment::{Operation, Payment};
use payonce_domain::ports::AnswerFormat;

use super::payments;

/// Spells the answers that are stored and replayed.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonAnswers;

impl AnswerFormat for JsonAnswers {
    fn final_answer(&self, payment: &Payment, request_id: &RequestId) -> StoredAnswer {
        match payment.request.operation {
            Operation::CreatePayment => payments::final_answer(payment, request_id),
        }
    }
}
