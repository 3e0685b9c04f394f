//! What the documents of the gateway's endpoints share.

use serde_json::{Value, json};

use super::view::ErrorView;
use super::{books, charge, look_up, start, void};
use crate::http::openapi::Endpoint;
use crate::http::openapi::headers::{AnswerHeader, RETRY_AFTER};
use crate::http::problem::Code;

/// The heading under which they stand.
pub const TAG: &str = "Fake gateway";
/// What a key is.
pub const KEY_RULE: &str = "The payment's key: one UUID.";
/// A key.
pub const KEY: &str = "4f9a7c1e-5b0d-8c3a-9e21-7d6f0a1b2c3d";

/// How the document describes these paths.
pub fn documents() -> Vec<Endpoint> {
    vec![
        start::document(),
        charge::document(),
        books::document(),
        look_up::document(),
        void::document(),
    ]
}

/// An error: its status, code and meaning, and the headers that it has.
pub type Error = (u16, &'static str, &'static str, &'static [AnswerHeader]);

/// Another charge with the key is executing.
pub const IN_FLIGHT: Error =
    (409, "charge_in_flight", "A charge with the key is executing.", &[RETRY_AFTER]);
/// The key in the path is none.
pub const INVALID_KEY: Error = (400, "invalid_key", "The key is no UUID.", &[]);
const UNAVAILABLE: Error = (503, "unavailable", "The books do not answer.", &[]);

/// What a charge may be told, whatever its format.
const OF_A_CHARGE: [Error; 8] = [
    (400, "invalid_request", "The request did nothing: it breaks a rule.", &[]),
    (408, "body_timeout", "The body did not arrive in time.", &[]),
    IN_FLIGHT,
    (410, "key_voided", "The key is burnt.", &[]),
    (413, "body_too_large", "The body is too large.", &[]),
    (422, "key_reused", "The key is known with other contents.", &[]),
    (429, "too_many_requests", "The key was not looked at.", &[RETRY_AFTER]),
    (500, "internal_error", "The charge may have been executed, or not.", &[]),
];

/// Adds the errors of a charge, these, and those that each of the endpoints has.
pub fn with_errors_of_a_charge(endpoint: Endpoint, others: &[Error]) -> Endpoint {
    with_errors(endpoint, &[&OF_A_CHARGE, others].concat())
}

/// Adds these errors, and those that each of the endpoints has.
pub fn with_errors(endpoint: Endpoint, errors: &[Error]) -> Endpoint {
    let add = |endpoint: Endpoint, &(status, code, detail, headers): &Error| {
        let example = json!({"error": {"code": code, "detail": detail}});
        endpoint.answer::<ErrorView<'_>>(status, detail, headers, example)
    };
    let endpoint = errors.iter().chain([&UNAVAILABLE]).fold(endpoint, add);
    endpoint.problems(&Code::WHILE_NOT_READY)
}

/// A charge in this status.
pub fn example(status: &str) -> Value {
    let or_null = |text| (status == "approved").then_some(text);
    json!({
        "id": or_null("ch_3f902a6c28a5826e89c54f03627f06a5"),
        "key": KEY,
        "status": status,
        "amount": or_null("100.00"),
        "currency": or_null("USD"),
        "reference": or_null("p-1"),
        "decline_code": null,
    })
}
