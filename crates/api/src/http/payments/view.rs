//! A payment as clients see it.

use std::collections::BTreeMap;
use std::fmt::Display;

use payonce_domain::money::Money;
use payonce_domain::payment::{Failure, Payment, PaymentId, PaymentState, PaymentStatus};
use payonce_domain::text::Text;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::http::openapi::values;
use crate::http::timestamp::rfc3339;

/// Most payments take no more bytes.
const USUAL_LENGTH: usize = 512;

/// A payment, in the order of the contract.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub struct PaymentView<'a> {
    #[serde(serialize_with = "collect_str")]
    #[schema(schema_with = values::uuid)]
    id: PaymentId,
    #[schema(schema_with = status)]
    status: &'static str,
    /// In major units, with the currency's number of decimals.
    #[serde(serialize_with = "collect_str")]
    #[schema(schema_with = values::amount)]
    amount: Money,
    #[schema(schema_with = values::currency)]
    currency: &'static str,
    #[schema(required)]
    payment_method: Option<&'a str>,
    #[schema(required)]
    reference: Option<&'a str>,
    #[schema(required)]
    description: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
    /// Which kind of gateway it is paid at.
    gateway: &'a str,
    /// The charge's id there.
    #[schema(required)]
    gateway_reference: Option<&'a str>,
    /// How often it was sent there.
    attempts: u32,
    #[schema(required)]
    failure: Option<FailureView<'a>>,
    #[schema(schema_with = values::time)]
    created_at: String,
    /// When it became final.
    #[schema(schema_with = values::optional_time, required)]
    completed_at: Option<String>,
}

/// Why a payment failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
struct FailureView<'a> {
    code: &'static str,
    /// The issuer's reason.
    #[schema(required)]
    decline_code: Option<&'a str>,
}

fn collect_str<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The names of the statuses.
pub fn status() -> ObjectBuilder {
    values::names(PaymentStatus::ALL.map(PaymentStatus::as_str))
}

/// A payment as an example.
pub fn example(status: &str) -> Value {
    let is_completed = status == "COMPLETED";
    json!({
        "id": "01a1fdeb-6164-7700-8874-1b49e96ad766",
        "status": status,
        "amount": "100.00",
        "currency": "USD",
        "payment_method": null,
        "reference": null,
        "description": null,
        "metadata": {},
        "gateway": "simulated",
        "gateway_reference": is_completed.then_some("ch_3f902a6c28a5826e89c54f03627f06a5"),
        "attempts": 1,
        "failure": null,
        "created_at": "2026-11-21T11:43:43.973786Z",
        "completed_at": is_completed.then_some("2026-11-21T11:43:44.0284Z"),
    })
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
            id: payment.id,
            status: payment.status().as_str(),
            amount: request.money,
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
    let mut body = Vec::with_capacity(USUAL_LENGTH);
    match serde_json::to_writer(&mut body, &PaymentView::from(payment)) {
        Ok(()) => body,
        // Strings, numbers and maps of strings always serialise.
        Err(_never) => Vec::new(),
    }
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
