//! The final answer of a canonical payment.

use actix_web::http::StatusCode;
use payonce_domain::account::RequestId;
use payonce_domain::idempotency::StoredAnswer;
use payonce_domain::payment::{Failure, Payment, PaymentState};

use super::view;
use crate::http::problem::{self, Code, Problem};

/// 201 with the payment, or a problem that says that nothing happened and nothing will.
pub fn final_answer(payment: &Payment, request_id: &RequestId) -> StoredAnswer {
    let problem = match &payment.state {
        PaymentState::Failed { failure: Failure::Declined { code }, .. } => {
            Problem::new(Code::PaymentDeclined).decline_code(code.clone())
        }
        PaymentState::Failed { failure: Failure::GatewayError, .. } => {
            Problem::new(Code::GatewayError)
        }
        PaymentState::Completed { .. } | PaymentState::Processing | PaymentState::NeedsReview => {
            return StoredAnswer {
                status: StatusCode::CREATED.as_u16(),
                content_type: mime::APPLICATION_JSON.to_string(),
                location: Some(view::location(payment)),
                body: view::body(payment).into(),
            };
        }
    };
    let problem = problem.payment(payment.id);
    StoredAnswer {
        status: problem.status().as_u16(),
        content_type: problem::CONTENT_TYPE.to_owned(),
        location: Some(view::location(payment)),
        body: problem.body(request_id, Some(true)).into(),
    }
}
