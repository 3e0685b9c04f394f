//! `GET /`.

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::http::openapi::{Endpoint, values};
use crate::http::timestamp::rfc3339;

const HEALTHY: &str = "HEALTHY";

/// What the service says at its root.
#[derive(Serialize, ToSchema)]
struct Overview {
    #[schema(schema_with = status)]
    status: &'static str,
    #[schema(schema_with = values::time)]
    current_time: String,
}

fn status() -> ObjectBuilder {
    values::names([HEALTHY])
}

/// The process lives, and what time it is there, to the second; asks nobody else.
#[expect(clippy::disallowed_methods, reason = "the machine's own time is what is shown")]
pub async fn overview() -> HttpResponse {
    let now = OffsetDateTime::now_utc();
    let current_time = rfc3339(now.replace_nanosecond(0).unwrap_or(now));
    HttpResponse::Ok().json(Overview { status: HEALTHY, current_time })
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let example = json!({"status": HEALTHY, "current_time": "2024-01-15T10:30:00Z"});
    Endpoint::get("/", "getOverview", "The process lives, and what time it is there")
        .tag("Health")
        .answer::<Overview>(200, "It does.", &[], example)
}
