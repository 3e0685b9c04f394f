//! `GET /fake-gateway/charges/{key}`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use payonce_domain::use_cases::fake_gateway::{FakeGateway, LookUpReply};

use super::document::{Error, IN_FLIGHT, INVALID_KEY, KEY_RULE, TAG, example, with_errors};
use super::view::{ChargeView, error, in_flight};
use super::{key, unavailable};
use crate::http::openapi::{Endpoint, parameters, values};

/// Tells what a key stands for.
pub async fn look_up(path: web::Path<String>, gateway: web::Data<FakeGateway>) -> HttpResponse {
    let key = match key(&path) {
        Ok(key) => key,
        Err(refusal) => return refusal.answer(),
    };
    match gateway.look_up(key).await {
        Ok(LookUpReply::Found(entry)) => HttpResponse::Ok().json(ChargeView::entry(key, &entry)),
        Ok(LookUpReply::NotFound) => {
            let detail = "The key was not seen yet; a request on its way may still arrive.";
            error(StatusCode::NOT_FOUND, "not_found", detail)
        }
        Ok(LookUpReply::InFlight) => in_flight(),
        Err(failure) => unavailable(&failure),
    }
}

const NOT_FOUND: Error = (404, "not_found", "Not seen yet; it may still arrive.", &[]);

/// How the document describes it.
pub fn document() -> Endpoint {
    let path = "/fake-gateway/charges/{key}";
    let endpoint = Endpoint::get(path, "lookUpCharge", "What a key stands for")
        .tag(TAG)
        .parameter(parameters::path("key", KEY_RULE, values::uuid()))
        .answer::<ChargeView<'_>>(200, "The key was seen.", &[], example("approved"));
    with_errors(endpoint, &[INVALID_KEY, NOT_FOUND, IN_FLIGHT])
}
