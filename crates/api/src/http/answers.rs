//! Final answers, in the wire format of each operation.

use payonce_domain::account::RequestId;
use payonce_domain::idempotency::StoredAnswer;
use payonce_domain::payment::{Operation, Payment};
use payonce_domain::ports::AnswerFormat;
use serde::Serialize;

use super::{orders, pay, payments};

/// Spells the answers that are stored and replayed.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonAnswers;

impl AnswerFormat for JsonAnswers {
    fn final_answer(&self, payment: &Payment, request_id: &RequestId) -> StoredAnswer {
        match payment.request.operation {
            Operation::CreatePayment => payments::final_answer(payment, request_id),
            Operation::Pay => pay::final_answer(payment),
            Operation::StartPayment => orders::final_answer(payment),
        }
    }
}

/// An answer of plain JSON.
pub fn json_answer(status: u16, body: &impl Serialize) -> StoredAnswer {
    StoredAnswer {
        status,
        content_type: mime::APPLICATION_JSON.to_string(),
        location: None,
        // Strings always serialise.
        body: serde_json::to_vec(body).unwrap_or_default().into(),
    }
}
