//! `POST /fake-gateway/charges/{key}/void`.

use actix_web::{HttpResponse, web};
use payonce_domain::ports::LedgerEntry;
use payonce_domain::use_cases::fake_gateway::{FakeGateway, VoidReply};

use super::view::{ChargeView, in_flight, settled};
use super::{key, unavailable};

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
