//! `GET /v1/payments/{id}/events`.

use actix_web::{HttpResponse, web};
use payonce_domain::payment::PaymentEvent;
use serde::Serialize;

use super::get::payment_id;
use crate::api::Api;
use crate::http::RequestScope;
use crate::http::problem::{Code, Problem};
use crate::http::timestamp::rfc3339;

#[derive(Serialize)]
struct Timeline<'a> {
    data: Vec<EventView<'a>>,
}

#[derive(Serialize)]
struct EventView<'a> {
    at: String,
    event: &'static str,
    by: &'static str,
    owner: i64,
    attempt: Option<u32>,
    detail: Option<&'a str>,
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
