//! `POST /fake-gateway/charges/{key}/void`.

use actix_web::{HttpResponse, web};
use payonce_domain::ports::LedgerEntry;
use payonce_domain::use_cases::fake_gateway::{FakeGateway, VoidReply};

use super::document::{Error, INVALID_KEY, KEY_RULE, TAG, example, with_errors};
use super::view::{ChargeView, in_flight, settled};
use super::{key, unavailable};
use crate::http::openapi::headers::RETRY_AFTER;
use crate::http::openapi::{Endpoint, parameters, values};

/// Burns a key, so that no charge can follow.
pub async fn void(path: web::Path<String>, gateway: web::Data<FakeGateway>) -> HttpResponse {
    let key = match key(&path) {
        Ok(key) => key,
        Err(refusal) => return refusal.answer(),
    };
    match gateway.void(key).await {
        Ok(VoidReply::Voided) => {
            HttpResponse::Ok().json(ChargeView::entry(key, &LedgerEntry::Voided))
        }
        Ok(VoidReply::Declined(charge)) => {
            HttpResponse::Ok().json(ChargeView::executed(key, &charge))
        }
        Ok(VoidReply::Settled(charge)) => settled(key, &charge),
        Ok(VoidReply::InFlight) => in_flight(),
        Err(failure) => unavailable(&failure),
    }
}

const CONFLICT: Error = (
    409,
    "charge_settled",
    "Approved and beyond voiding; or executing, and then with `Retry-After`.",
    &[RETRY_AFTER.sometimes()],
);

/// How the document describes it.
pub fn document() -> Endpoint {
    let path = "/fake-gateway/charges/{key}/void";
    let endpoint = Endpoint::post(path, "voidCharge", "Burns a key, so that no charge can follow")
        .tag(TAG)
        .parameter(parameters::path("key", KEY_RULE, values::uuid()))
        .answer::<ChargeView<'_>>(200, "Burnt, or declined before.", &[], example("voided"));
    with_errors(endpoint, &[INVALID_KEY, CONFLICT])
}
