//! `GET /payments/start/{order_id}`.

use actix_web::{HttpResponse, web};
use payonce_domain::idempotency::{IdempotencyKey, KeySpace, RecordId};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::api::Api;
use crate::http::openapi::{Endpoint, parameters, values};
use crate::http::problem::{Code, Problem};
use crate::http::{RequestScope, payments};

/// An order, with what became of its payment.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
struct OrderView<'a> {
    #[schema(schema_with = values::uuid)]
    payment_id: String,
    order_id: &'a str,
    #[schema(schema_with = payments::status)]
    status: &'static str,
    /// In major units, with the currency's number of decimals.
    #[schema(schema_with = values::amount)]
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

/// How the document describes it.
pub fn document() -> Endpoint {
    let order = json!({
        "payment_id": "01a1fdeb-6164-7700-8874-1b49e96ad766",
        "order_id": "ORD123",
        "status": "COMPLETED",
        "amount": "100.00",
    });
    let id = parameters::path("order_id", "The order.", values::key());
    Endpoint::get("/payments/start/{order_id}", "getOrder", "What became of an order")
        .tag("Other formats")
        .parameter(parameters::example(id, "ORD123"))
        .answer::<OrderView<'_>>(200, "The order, as it is now.", &[], order)
        .problems(&[Code::OrderNotFound])
        .problems(&Code::OF_THE_STORE)
}
