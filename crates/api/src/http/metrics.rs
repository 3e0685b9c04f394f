//! `GET /metrics`.

use actix_web::{HttpResponse, web};

use crate::api::Api;
use crate::http::openapi::{Endpoint, values};

/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric of the service; asks no database, and is there also while the service is not ready.
pub async fn metrics(api: web::Data<Api>) -> HttpResponse {
    api.live_gauges.read(&api.metrics);
    HttpResponse::Ok().content_type(TEXT).body(api.metrics.render())
}

/// How the document describes it.
pub fn documents() -> Vec<Endpoint> {
    let endpoint = Endpoint::get("/metrics", "getMetrics", "What is measured").tag("Health").file(
        "text/plain",
        values::string(),
        "Prometheus' text format, version 0.0.4.",
        &[],
    );
    vec![endpoint]
}
