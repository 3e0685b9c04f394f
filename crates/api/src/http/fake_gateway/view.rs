//! Charges and errors on the wire.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::{LedgerCharge, LedgerEntry};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::http::openapi::values;

/// A charge; the same bytes on every replay.
#[derive(Serialize, ToSchema)]
#[schema(as = Charge)]
pub struct ChargeView<'a> {
    #[schema(required)]
    id: Option<&'a str>,
    #[schema(schema_with = values::uuid)]
    key: String,
    #[schema(schema_with = statuses)]
    status: &'static str,
    #[schema(required)]
    amount: Option<&'a str>,
    #[schema(required)]
    currency: Option<&'a str>,
    /// The caller's label.
    #[schema(required)]
    reference: Option<&'a str>,
    #[schema(required)]
    decline_code: Option<&'a str>,
}

const APPROVED: &str = "approved";
const DECLINED: &str = "declined";
const VOIDED: &str = "voided";

fn statuses() -> ObjectBuilder {
    values::names([APPROVED, DECLINED, VOIDED])
}

/// An error of the gateway.
#[derive(Serialize, ToSchema)]
#[schema(as = GatewayError)]
pub struct ErrorView<'a> {
    error: ErrorDetail<'a>,
    /// The charge that is beyond voiding.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    charge: Option<ChargeView<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = GatewayErrorDetail)]
struct ErrorDetail<'a> {
    /// For programs.
    code: &'a str,
    /// For people.
    detail: &'a str,
}

impl<'a> ChargeView<'a> {
    /// A charge that was executed.
    pub fn executed(key: GatewayKey, charge: &'a LedgerCharge) -> Self {
        Self {
            id: Some(&charge.id),
            key: key.to_string(),
            status: if charge.decline_code.is_some() { DECLINED } else { APPROVED },
            amount: Some(&charge.contents.amount),
            currency: Some(&charge.contents.currency),
            reference: charge.reference.as_deref(),
            decline_code: charge.decline_code.as_deref(),
        }
    }

    /// What a key stands for.
    pub fn entry(key: GatewayKey, entry: &'a LedgerEntry) -> Self {
        match entry {
            LedgerEntry::Charge(charge) => Self::executed(key, charge),
            LedgerEntry::Voided => Self {
                id: None,
                key: key.to_string(),
                status: VOIDED,
                amount: None,
                currency: None,
                reference: None,
                decline_code: None,
            },
        }
    }
}

/// An error.
pub fn error(status: StatusCode, code: &str, detail: &str) -> HttpResponse {
    HttpResponse::build(status)
        .json(ErrorView { error: ErrorDetail { code, detail }, charge: None })
}

/// An error that passes by itself.
fn passing_error(status: StatusCode, code: &str, detail: &str) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((RETRY_AFTER, "1"))
        .json(ErrorView { error: ErrorDetail { code, detail }, charge: None })
}

/// An earlier request with the key is executing.
pub fn in_flight() -> HttpResponse {
    let detail = "A charge with this key is executing; ask again.";
    passing_error(StatusCode::CONFLICT, "charge_in_flight", detail)
}

/// Too many requests.
pub fn too_many_requests() -> HttpResponse {
    let detail = "The key was not looked at; send the same again.";
    passing_error(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
}

/// The charge is beyond voiding.
pub fn settled(key: GatewayKey, charge: &LedgerCharge) -> HttpResponse {
    let detail = "The charge was approved and is beyond voiding.";
    HttpResponse::Conflict().json(ErrorView {
        error: ErrorDetail { code: "charge_settled", detail },
        charge: Some(ChargeView::executed(key, charge)),
    })
}
