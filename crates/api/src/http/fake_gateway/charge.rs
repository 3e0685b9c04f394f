//! `POST /fake-gateway/charges`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::gateway::GatewayKey;
use payonce_domain::use_cases::fake_gateway::{ChargeCommand, ChargeReply, FakeGateway};
use serde_json::json;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder};

use super::charge_body::ChargeBody;
use super::document::{KEY, KEY_RULE, TAG, example, with_errors_of_a_charge};
use super::refusal::Refusal;
use super::view::{ChargeView, error, in_flight, too_many_requests};
use super::{charge_body, delivery, key, mode, unavailable};
use crate::api::Api;
use crate::http::gate::Readiness;
use crate::http::header_names::IDEMPOTENCY_KEY;
use crate::http::openapi::{Endpoint, parameters, values};

/// Executes a charge, or repeats what became of it.
pub async fn charge(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    gateway: web::Data<FakeGateway>,
    readiness: web::Data<Readiness>,
) -> HttpResponse {
    let command = match read(&request, payload, &api).await {
        Ok(command) => command,
        Err(refusal) => return refusal.answer(),
    };
    let key = command.key;
    match gateway.charge(command).await {
        Ok(answer) => {
            delivery::deliver(spell(key, &answer.reply), answer.delivery, &readiness).await
        }
        Err(failure) => unavailable(&failure),
    }
}

fn spell(key: GatewayKey, reply: &ChargeReply) -> HttpResponse {
    match reply {
        ChargeReply::Charge { charge, is_replay } => {
            let status = if *is_replay { StatusCode::OK } else { StatusCode::CREATED };
            HttpResponse::build(status).json(ChargeView::executed(key, charge))
        }
        reply => refused(reply),
    }
}

/// A reply that is no charge.
pub fn refused(reply: &ChargeReply) -> HttpResponse {
    match reply {
        ChargeReply::KeyVoided => {
            error(StatusCode::GONE, "key_voided", "The key is burnt: nothing is charged under it.")
        }
        ChargeReply::KeyReused => {
            let detail = "The key is known with other contents; this request did nothing.";
            error(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail)
        }
        ChargeReply::InFlight => in_flight(),
        ChargeReply::TooManyRequests => too_many_requests(),
        ChargeReply::Charge { .. } | ChargeReply::Failed => {
            let detail = "Something broke; look the charge up, or send the same again.";
            error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
        }
    }
}

/// A decline, where the format has no words for one.
pub fn declined() -> HttpResponse {
    error(StatusCode::PAYMENT_REQUIRED, "card_declined", "The issuer declined; no money moved.")
}

async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    api: &Api,
) -> Result<ChargeCommand, Refusal> {
    let refusal = |detail| Refusal::new("invalid_request", detail);
    let body = api.body_limits.read_json(request, payload).await?;
    let keys: Vec<_> = request.headers().get_all(&IDEMPOTENCY_KEY).collect();
    let key = match keys.as_slice() {
        [one] => key(one.to_str().unwrap_or_default())?,
        _ => return Err(refusal("Send exactly one Idempotency-Key header.".to_owned())),
    };
    let (contents, reference) = charge_body::parse(&body).map_err(refusal)?;
    let mode = mode::read(request)?;
    Ok(ChargeCommand { key, contents, reference, mode })
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let body = json!({
        "amount": "100.00", "currency": "USD", "reference": "p-1", "payment_method": null,
    });
    let endpoint = Endpoint::post("/fake-gateway/charges", "charge", "Charges once under a key")
        .tag(TAG)
        .description(
            "Fails by chance as it is configured, or as the mode says: some modes break the \
             connection, never answer or answer what cannot be read.",
        )
        .parameter(key_header())
        .parameter(mode::header())
        .body::<ChargeBody>(&[("charge", body)])
        .answer::<ChargeView<'_>>(201, "Executed now.", &[], example("approved"))
        .answer::<ChargeView<'_>>(200, "Executed earlier.", &[], example("approved"));
    let not_json = (415, "unsupported_media_type", "The body is not JSON.", &[][..]);
    with_errors_of_a_charge(endpoint, &[not_json])
}

fn key_header() -> Parameter {
    ParameterBuilder::from(parameters::header("Idempotency-Key", KEY_RULE))
        .schema(Some(values::uuid()))
        .required(Required::True)
        .example(Some(json!(KEY)))
        .build()
}
