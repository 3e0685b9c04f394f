//! `POST /v1/webhooks/transactions`.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::failpoints::reach;
use payonce_domain::ports::{Ingested, RepositoryError};
use payonce_domain::transaction::{TransactionId, TransactionKey};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::transaction_body;
use crate::api::Api;
use crate::http::openapi::values;
use crate::http::problem::{Code, Problem};
use crate::http::transactions::PROCESSING;
use crate::http::{RequestScope, unread};

/// What is told of a transaction that could not be stored.
pub const NOT_STORED: &str = "The transaction could not be stored. Send it again.";

/// A transaction that is stored.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedTransaction)]
pub struct Accepted<'a> {
    message: &'static str,
    transaction_id: &'a str,
    #[schema(schema_with = status)]
    status: &'static str,
}

fn status() -> ObjectBuilder {
    values::names([PROCESSING])
}

/// Accepts a transaction, once it is stored: new, known, or in conflict with what is known.
pub async fn receive(
    request: HttpRequest,
    payload: web::Payload,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let signatures = &api.webhooks.signatures;
    let signed = match signatures.read(request.headers(), time_of_day()) {
        Ok(signed) => signed,
        Err(problem) => {
            unread::hold(&request, payload.into_inner());
            return Err(problem);
        }
    };
    let body = api.body_limits.read_json(&request, payload).await?;
    if let Some(signed) = signed {
        signatures.verify(&signed, &body)?;
    }
    let (id, contents) = transaction_body::parse(&body, api.default_currency)?;
    let key = TransactionKey { account: api.webhooks.account.clone(), id };
    reach("webhook_verified");
    let ingested = api.ingest_transaction.execute(key.clone(), contents).await;
    let ingested = ingested.map_err(not_stored)?;
    api.transaction_metrics.ingested(&ingested);
    warn_of_conflict(&ingested, &key.id, &scope);
    Ok(HttpResponse::Accepted().json(Accepted {
        message: "Transaction accepted",
        transaction_id: key.id.as_str(),
        status: PROCESSING,
    }))
}

/// The sender's clock is compared with this machine's.
#[expect(clippy::disallowed_methods, reason = "a signature's age decides nothing that is stored")]
fn time_of_day() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn warn_of_conflict(ingested: &Ingested, id: &TransactionId, scope: &RequestScope) {
    if let Ingested::Conflict { fields } = ingested {
        tracing::warn!(
            request_id = scope.request_id.as_str(),
            transaction = %id,
            differing_fields = fields.join(", "),
            "a transaction was announced again with other contents; the first ones stay"
        );
    }
}

/// Whatever the cause: the sender has to send it again.
fn not_stored(error: RepositoryError) -> Problem {
    Problem::new(Code::StoreUnavailable)
        .detail(NOT_STORED)
        .retry_after(Duration::from_secs(1))
        .cause(error)
}
