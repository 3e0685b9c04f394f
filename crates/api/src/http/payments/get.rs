//! `GET /v1/payments/{id}`.

use actix_web::{HttpResponse, web};
use payonce_domain::payment::PaymentId;

use super::view::{self, PaymentView};
use crate::api::Api;
use crate::http::RequestScope;
use crate::http::openapi::{Endpoint, parameters, values};
use crate::http::problem::{Code, Problem};

/// The payment as it is now.
pub async fn get(
    id: web::Path<String>,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = payment_id(&id)?;
    let payment = api.payments.find(&scope.account, id).await?;
    let payment = payment.ok_or_else(|| Problem::new(Code::PaymentNotFound))?;
    Ok(HttpResponse::Ok().content_type(mime::APPLICATION_JSON).body(view::body(&payment)))
}

/// Reads an id; what is none names no payment.
pub fn payment_id(text: &str) -> Result<PaymentId, Problem> {
    text.parse().map(PaymentId).map_err(|_no_id| Problem::new(Code::PaymentNotFound))
}

/// How the document describes it.
pub fn document() -> Endpoint {
    Endpoint::get("/v1/payments/{id}", "getPayment", "The payment as it is now")
        .tag("Payments")
        .parameter(parameters::path("id", "The payment's id.", values::uuid()))
        .answer::<PaymentView<'_>>(200, "The payment.", &[], view::example("COMPLETED"))
        .problems(&[Code::PaymentNotFound])
        .problems(&Code::OF_THE_STORE)
}
