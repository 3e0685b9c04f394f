//! `POST /api/payment/v1/payments`.

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::idempotency::{KeySpace, RecordId};
use payonce_domain::use_cases::StoreOpaqueCommand;
use serde::Serialize;
use utoipa::ToSchema;

use super::body;
use crate::api::Api;
use crate::http::RequestScope;
use crate::http::answers::json_answer;
use crate::http::problem::Problem;
use crate::http::settled_answer;

/// What was stored.
#[derive(Serialize, ToSchema)]
pub struct Stored<'a> {
    data: StoredData<'a>,
    message: &'static str,
}

#[derive(Serialize, ToSchema)]
struct StoredData<'a> {
    /// What was sent.
    response_data: &'a str,
}

/// Stores the payload with its answer, or replays the answer that its key already has.
pub async fn store(
    request: HttpRequest,
    payload: web::Payload,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let body = api.body_limits.read_json(&request, payload).await?;
    let (key, payload) = body::parse(&body)?;
    let data = StoredData { response_data: &payload };
    let command = StoreOpaqueCommand {
        record: RecordId { account: scope.account, space: KeySpace::Key, key },
        request_id: scope.request_id,
        answer: json_answer(201, &Stored { data, message: "Success" }),
        payload,
    };
    let stored = api.store_opaque.execute(command).await?;
    Ok(settled_answer::respond(&stored.answer, stored.is_replay))
}
