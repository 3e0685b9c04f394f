//! `GET /healthz`.

use actix_web::HttpResponse;
use serde_json::json;

/// The process lives; asks nobody else.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}
