//! `GET /payments/start/{order_id}`.

use actix_web::{HttpResponse, web};
use payonce_domain::idempotency::{IdempotencyKey, KeySpace, RecordId};
use serde::Serialize;

use crate::api::Api;
use crate::http::RequestScope;
use crate::http::problem::{Code, Problem};

#[derive(Serialize)]
struct OrderView<'a> {
    payment_id: String,
    order_id: &'a str,
    status: &'static str,
    amount: String,
}

/// What became of an order.
pub async fn get(
    order: web::Path<String>,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::new(Code::OrderNotFound);
    let key = IdempotencyKey::from_body(&order).map_err(|_no_order| unknown())?;
    let record = RecordId { account: scope.account.clone(), space: KeySpace::Order, key };
    let known = api.keys.find(&record).await?.ok_or_else(unknown)?;
    let payment = api.payments.find(&scope.account, known.record.payment_id).await?;
    let payment = payment.ok_or_else(unknown)?;
    Ok(HttpResponse::Ok().json(OrderView {
        payment_id: payment.id.to_string(),
        order_id: &order,
        status: payment.status().as_str(),
        amount: payment.request.money.to_string(),
    }))
}
