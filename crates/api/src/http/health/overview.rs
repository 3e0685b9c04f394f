//! `GET /`.

use actix_web::HttpResponse;
use serde::Serialize;
use time::OffsetDateTime;

use crate::http::timestamp::rfc3339;

#[derive(Serialize)]
struct Overview {
    status: &'static str,
    current_time: String,
}

/// The process lives, and what time it is there, to the second; asks nobody else.
#[expect(clippy::disallowed_methods, reason = "the machine's own time is what is shown")]
pub async fn overview() -> HttpResponse {
    let now = OffsetDateTime::now_utc();
    let current_time = rfc3339(now.replace_nanosecond(0).unwrap_or(now));
    HttpResponse::Ok().json(Overview { status: "HEALTHY", current_time })
}
