//! The final answer of the format.

use payonce_domain::idempotency::StoredAnswer;
use payonce_domain::payment::{Failure, Payment, PaymentState};
use serde_json::json;

use crate::http::answers::json_answer;

/// 200 once it is paid; else an error that is final.
pub fn final_answer(payment: &Payment) -> StoredAnswer {
    match &payment.state {
        PaymentState::Failed { failure: Failure::Declined { .. }, .. } => {
            json_answer(402, &json!({"error": "Payment declined"}))
        }
        PaymentState::Failed { failure: Failure::GatewayError, .. } => {
            json_answer(502, &json!({"error": "Gateway error"}))
        }
        PaymentState::Completed { .. } | PaymentState::Processing | PaymentState::NeedsReview => {
            let paid = Paid {
                message: "Payment processed",
                payment_id: payment.id.to_string(),
                status: payment.status().as_str(),
            };
            json_answer(200, &paid)
        }
    }
}

#[derive(serde::Serialize)]
struct Paid {
    message: &'static str,
    payment_id: String,
    status: &'static str,
}
