//! `POST /api/payment/v1/payments`.

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::idempotency::{KeySpace, RecordId};
use payonce_domain::use_cases::StoreOpaqueCommand;
use serde::Serialize;

use super::body;
use crate::api::Api;
use crate::http::RequestScope;
use crate::http::answers::json_answer;
use crate::http::problem::Problem;
use crate::http::settled_answer;

#[derive(Serialize)]
struct Stored<'a> {
    data: Data<'a>,
    message: &'static str,
}

#[derive(Serialize)]
struct Data<'a> {
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
    let data = Data { response_data: &payload };
    let command = StoreOpaqueCommand {
        record: RecordId { account: scope.account, space: KeySpace::Key, key },
        request_id: scope.request_id,
        answer: json_answer(201, &Stored { data, message: "Success" }),
        payload,
    };
    let stored = api.store_opaque.execute(command).await?;
    Ok(settled_answer::respond(&stored.answer, stored.is_replay))
}
