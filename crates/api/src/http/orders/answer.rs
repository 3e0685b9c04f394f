//! The final answer of the format.

use payonce_domain::idempotency::StoredAnswer;
use payonce_domain::payment::{Failure, Payment, PaymentState};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::http::answers::json_answer;
use crate::http::openapi::values;

/// What is told of a declined order.
pub const DECLINED: &str = "Payment declined";
/// What is told of an order that was voided.
pub const GATEWAY_ERROR: &str = "Gateway error";

/// An order that was paid.
#[derive(Serialize, ToSchema)]
pub struct PaidOrder {
    #[schema(schema_with = values::uuid)]
    payment_id: String,
}

/// 200 once it is paid; else an error that stands for ever.
pub fn final_answer(payment: &Payment) -> StoredAnswer {
    match &payment.state {
        PaymentState::Failed { failure: Failure::Declined { .. }, .. } => {
            json_answer(402, &json!({"error": DECLINED}))
        }
        PaymentState::Failed { failure: Failure::GatewayError, .. } => {
            json_answer(502, &json!({"error": GATEWAY_ERROR}))
        }
        PaymentState::Completed { .. } | PaymentState::Processing | PaymentState::NeedsReview => {
            json_answer(200, &PaidOrder { payment_id: payment.id.to_string() })
        }
    }
}
