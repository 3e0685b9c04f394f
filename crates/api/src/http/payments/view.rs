//! A payment as clients see it.

use std::collections::BTreeMap;

use payonce_domain::payment::{Failure, Payment, PaymentState};
use payonce_domain::text::Text;
use serde::Serialize;

use crate::http::timestamp::rfc3339;

/// A payment, in the order of the contract.
#[derive(Debug, Serialize)]
pub struct PaymentView<'a> {
    id: String,
    status: &'static str,
    amount: String,
    currency: &'static str,
    payment_method: Option<&'a str>,
    reference: Option<&'a str>,
    description: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
    gateway: &'a str,
    gateway_reference: Option<&'a str>,
    attempts: u32,
    failure: Option<FailureView<'a>>,
    created_at: String,
    completed_at: Option<String>,
}

/// Why a payment failed.
#[derive(Debug, Serialize)]
struct FailureView<'a> {
    code: &'static str,
    decline_code: Option<&'a str>,
}

impl<'a> From<&'a Payment> for PaymentView<'a> {
    fn from(payment: &'a Payment) -> Self {
        let (gateway_reference, failure, completed_at) = match &payment.state {
            PaymentState::Processing | PaymentState::NeedsReview => (None, None, None),
            PaymentState::Completed { gateway_reference, at } => {
                (Some(gateway_reference.as_str()), None, Some(*at))
            }
            PaymentState::Failed { failure, gateway_reference, at } => {
                (gateway_reference.as_deref(), Some(failure.into()), Some(*at))
            }
        };
        let request = &payment.request;
        Self {
            id: payment.id.to_string(),
            status: payment.status().as_str(),
            amount: request.money.to_string(),
            currency: request.money.currency().code(),
            payment_method: request.payment_method.as_ref().map(Text::as_str),
            reference: request.reference.as_ref().map(Text::as_str),
            description: request.description.as_ref().map(Text::as_str),
            metadata: request.metadata.pairs(),
            gateway: &payment.gateway.kind,
            gateway_reference,
            attempts: payment.attempts,
            failure,
            created_at: rfc3339(payment.created_at),
            completed_at: completed_at.map(rfc3339),
        }
    }
}

impl<'a> From<&'a Failure> for FailureView<'a> {
    fn from(failure: &'a Failure) -> Self {
        let decline_code = match failure {
            Failure::Declined { code } => code.as_deref(),
            Failure::GatewayError => None,
        };
        Self { code: failure.code(), decline_code }
    }
}

/// The body of a payment.
pub fn body(payment: &Payment) -> Vec<u8> {
    // Strings, numbers and maps of strings always serialise.
    serde_json::to_vec(&PaymentView::from(payment)).unwrap_or_default()
}

/// A payment as indented JSON, for people.
pub fn payment_json(payment: &Payment) -> String {
    // Strings, numbers and maps of strings always serialise.
    serde_json::to_string_pretty(&PaymentView::from(payment)).unwrap_or_default()
}

/// Where a payment is read.
pub fn location(payment: &Payment) -> String {
    format!("/v1/payments/{}", payment.id)
}
