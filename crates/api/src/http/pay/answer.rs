//! The final answer of the format.

use payonce_domain::idempotency::StoredAnswer;
use payonce_domain::payment::{Failure, Payment, PaymentState, PaymentStatus};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::http::answers::json_answer;
use crate::http::openapi::values;

/// What is told of a declined payment.
pub const DECLINED: &str = "Payment declined";
/// What is told of a payment that was voided.
pub const GATEWAY_ERROR: &str = "Gateway error";

/// 200 once it is paid; else an error that is final.
pub fn final_answer(payment: &Payment) -> StoredAnswer {
    match &payment.state {
        PaymentState::Failed { failure: Failure::Declined { .. }, .. } => {
            json_answer(402, &json!({"error": DECLINED}))
        }
        PaymentState::Failed { failure: Failure::GatewayError, .. } => {
            json_answer(502, &json!({"error": GATEWAY_ERROR}))
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

/// A payment that was made.
#[derive(Serialize, ToSchema)]
pub struct Paid {
    message: &'static str,
    #[schema(schema_with = values::uuid)]
    payment_id: String,
    #[schema(schema_with = status)]
    status: &'static str,
}

fn status() -> ObjectBuilder {
    values::names([PaymentStatus::Completed.as_str()])
}
