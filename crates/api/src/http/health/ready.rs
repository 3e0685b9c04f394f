//! `GET /readyz`.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use payonce_domain::ports::RepositoryError;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::api::Api;
use crate::http::gate::Readiness;
use crate::http::openapi::{Endpoint, values};
use crate::http::problem::{Code, Problem};

const READY: &str = "ready";
const AVAILABLE: &str = "available";
const UNAVAILABLE: &str = "unavailable";

/// What a service that takes requests says of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
struct ReadyView {
    status: &'static str,
    /// Whether Redis answers, where one is configured; the service runs without it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = redis_states, required = false)]
    redis: Option<&'static str>,
}

fn redis_states() -> ObjectBuilder {
    values::names([AVAILABLE, UNAVAILABLE])
}

/// The longest time for the database to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The database is reachable and migrated, and the service is not going down. Redis is told of,
/// where it is configured, and never needed.
pub async fn ready(
    readiness: web::Data<Readiness>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    readiness.check()?;
    let not_ready = |reason: &str| {
        Problem::new(Code::StoreUnavailable)
            .detail(format!("Not ready: {reason}."))
            .retry_after(Duration::from_secs(1))
    };
    match timeout(PATIENCE, api.payments.check()).await {
        Ok(Ok(())) => Ok(HttpResponse::Ok().json(view(&api))),
        Ok(Err(error @ RepositoryError::Inconsistent { .. })) => {
            Err(not_ready("the database's schema is not the one this version needs").cause(error))
        }
        Ok(Err(error)) => Err(not_ready("the database does not answer").cause(error)),
        Err(_late) => Err(not_ready("the database does not answer in time")),
    }
}

fn view(api: &Api) -> ReadyView {
    let redis = api.redis_is_up.as_ref().map(|is_up| match *is_up.borrow() {
        true => AVAILABLE,
        false => UNAVAILABLE,
    });
    ReadyView { status: READY, redis }
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let description = "The database is reachable and migrated, and the service is not going down.";
    Endpoint::get("/readyz", "getReadiness", "The service takes requests")
        .tag("Health")
        .description(description)
        .answer::<ReadyView>(200, "It does.", &[], json!({"status": READY, "redis": AVAILABLE}))
        .problems(&Code::WHILE_NOT_READY)
}
