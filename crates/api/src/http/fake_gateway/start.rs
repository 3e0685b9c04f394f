//! `POST /fake-gateway/start`: the unstable gateway itself, whose body may be anything.

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::gateway::GatewayKey;
use payonce_domain::money::{Currency, Money};
use payonce_domain::ports::ChargeContents;
use payonce_domain::use_cases::fake_gateway::{ChargeCommand, ChargeReply, FakeGateway};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::document::{TAG, with_errors_of_a_charge};
use super::refusal::Refusal;
use super::{charge, delivery, mode, unavailable};
use crate::api::Api;
use crate::http::gate::Readiness;
use crate::http::header_names::IDEMPOTENCY_KEY;
use crate::http::openapi::{Endpoint, parameters};

/// A charge that was executed.
#[derive(Serialize, ToSchema)]
#[schema(as = StartedCharge)]
struct Started<'a> {
    /// The charge's id.
    payment_id: &'a str,
}

/// What is taken from a body that names it; everything else means nothing here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
}

/// Charges, or fails as often as the gateway is told to.
pub async fn start(
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
    match gateway.charge(command).await {
        Ok(answer) => delivery::deliver(spell(&answer.reply), answer.delivery, &readiness).await,
        Err(failure) => unavailable(&failure),
    }
}

fn spell(reply: &ChargeReply) -> HttpResponse {
    match reply {
        ChargeReply::Charge { charge, .. } if charge.decline_code.is_none() => {
            HttpResponse::Ok().json(Started { payment_id: &charge.id })
        }
        ChargeReply::Charge { .. } => charge::declined(),
        reply => charge::refused(reply),
    }
}

async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    api: &Api,
) -> Result<ChargeCommand, Refusal> {
    let body = api.body_limits.read_any(request, payload).await?;
    let amount = amount(&body, api.default_currency);
    Ok(ChargeCommand {
        key: key(request)?,
        contents: ChargeContents {
            amount,
            currency: api.default_currency.code().to_owned(),
            payment_method: None,
        },
        reference: None,
        mode: mode::read(request)?,
    })
}

/// The caller's key, which may have any form here; without one every request is another charge.
fn key(request: &HttpRequest) -> Result<GatewayKey, Refusal> {
    let keys: Vec<_> = request.headers().get_all(&IDEMPOTENCY_KEY).collect();
    match keys.as_slice() {
        [] => Ok(GatewayKey(Uuid::new_v4())),
        [key] => Ok(GatewayKey(
            Uuid::try_parse_ascii(key.as_bytes())
                .unwrap_or_else(|_no_uuid| Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes())),
        )),
        _ => Err(Refusal::new("invalid_request", "Send at most one Idempotency-Key header.")),
    }
}

/// The amount that a body names, where it names one that can be paid.
fn amount(body: &[u8], currency: Currency) -> String {
    let named: Named<'_> = serde_json::from_slice(body).unwrap_or_default();
    let amount = named.amount.map(|amount| amount.get().trim_matches('"'));
    let money = amount.and_then(|amount| Money::parse(amount, currency).ok());
    money.map_or_else(|| "0".to_owned(), |money| money.to_string())
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let key = "With one, a repeat charges nothing and gets the same answer; in any form. Without \
               one, every request is another charge.";
    let body = "Anything, of any type. An amount is taken from an object's `amount`.";
    let started = json!({"payment_id": "ch_3f902a6c28a5826e89c54f03627f06a5"});
    let path = "/fake-gateway/start";
    let endpoint = Endpoint::post(path, "startCharge", "Charges, as unreliably as it is told to")
        .tag(TAG)
        .description("Takes its time, and fails by chance as it is configured or as the mode says.")
        .parameter(parameters::header("Idempotency-Key", key))
        .parameter(mode::header())
        .any_body(body, json!({"order_id": "ORD123", "amount": 100.0}))
        .answer::<Started<'_>>(200, "Charged, now or earlier.", &[], started);
    let declined = (402, "card_declined", "Declined; no money moved.", &[][..]);
    with_errors_of_a_charge(endpoint, &[declined])
}
