//! `GET /v1/payments/{id}/events`.

use actix_web::{HttpResponse, web};
use payonce_domain::payment::{Actor, EventKind, PaymentEvent};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::get::payment_id;
use crate::api::Api;
use crate::http::RequestScope;
use crate::http::openapi::{Endpoint, parameters, values};
use crate::http::problem::{Code, Problem};
use crate::http::timestamp::rfc3339;

/// A payment's timeline, oldest first.
#[derive(Serialize, ToSchema)]
struct Timeline<'a> {
    data: Vec<EventView<'a>>,
}

/// One attempt, or one change of state.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
struct EventView<'a> {
    #[schema(schema_with = values::time)]
    at: String,
    #[schema(schema_with = kinds)]
    event: &'static str,
    #[schema(schema_with = actors)]
    by: &'static str,
    /// Counts who worked on the payment, one after the other.
    owner: i64,
    /// Which attempt, where it is one.
    #[schema(required)]
    attempt: Option<u32>,
    /// What it proved.
    #[schema(required)]
    detail: Option<&'a str>,
}

fn kinds() -> ObjectBuilder {
    values::names(EventKind::ALL.map(EventKind::as_str))
}

fn actors() -> ObjectBuilder {
    values::names(Actor::ALL.map(Actor::as_str))
}

impl<'a> From<&'a PaymentEvent> for EventView<'a> {
    fn from(stored: &'a PaymentEvent) -> Self {
        Self {
            at: rfc3339(stored.at),
            event: stored.event.kind.as_str(),
            by: stored.event.actor.as_str(),
            owner: stored.event.fence.0,
            attempt: stored.event.attempt,
            detail: stored.event.detail.as_deref(),
        }
    }
}

/// The payment's timeline, oldest first.
pub async fn events(
    id: web::Path<String>,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = payment_id(&id)?;
    let events = api.payments.events(&scope.account, id).await?;
    let events = events.ok_or_else(|| Problem::new(Code::PaymentNotFound))?;
    Ok(HttpResponse::Ok().json(Timeline { data: events.iter().map(EventView::from).collect() }))
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let event = |at, event, attempt, detail: Option<&str>| json!({"at": at, "event": event, "by": "request", "owner": 1, "attempt": attempt, "detail": detail});
    let timeline = json!({"data": [
        event("2026-11-21T11:43:43.973786Z", "created", None, None),
        event("2026-11-21T11:43:44.0284Z", "attempt", Some(1), Some("approved")),
        event("2026-11-21T11:43:44.0284Z", "completed", None, None),
    ]});
    Endpoint::get("/v1/payments/{id}/events", "listPaymentEvents", "The payment's timeline")
        .tag("Payments")
        .parameter(parameters::path("id", "The payment's id.", values::uuid()))
        .answer::<Timeline<'_>>(200, "The timeline.", &[], timeline)
        .problems(&[Code::PaymentNotFound])
        .problems(&Code::OF_THE_STORE)
}
