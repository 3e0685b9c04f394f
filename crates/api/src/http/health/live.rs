//! `GET /healthz`.

use actix_web::HttpResponse;
use serde_json::json;

use super::Health;
use crate::http::openapi::Endpoint;

const ALIVE: &str = "alive";

/// The process lives; asks nobody else.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: ALIVE })
}

/// How the document describes it.
pub fn document() -> Endpoint {
    Endpoint::get("/healthz", "getHealth", "The process lives").tag("Health").answer::<Health>(
        200,
        "It does.",
        &[],
        json!({"status": ALIVE}),
    )
}
