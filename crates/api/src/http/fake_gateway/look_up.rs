//! `GET /fake-gateway/charges/{key}`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use payonce_domain::use_cases::fake_gateway::{FakeGateway, LookUpReply};

use super::view::{ChargeView, error, in_flight};
use super::{key, unavailable};

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
