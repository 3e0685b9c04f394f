//! `GET /v1/payments`.

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::idempotency::IdempotencyKey;
use payonce_domain::payment::PaymentStatus;
use payonce_domain::ports::PaymentFilter;
use payonce_domain::text::Text;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::view::{self, PaymentView};
use crate::api::Api;
use crate::http::fields::Fault;
use crate::http::openapi::parameters::query as parameter;
use crate::http::openapi::{Endpoint, values};
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::{RequestScope, cursor, query, timestamp};

const PARAMETERS: &[&str] =
    &["limit", "cursor", "status", "reference", "idempotency_key", "created_from", "created_to"];
const DEFAULT_LIMIT: u32 = 20;
const LIMIT_RULE: &str = "must be a number from 1 to 100";

/// A page of payments, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Payments)]
struct Page<'a> {
    data: Vec<PaymentView<'a>>,
    /// Names the next page, where there is one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A page of the account's payments, newest first.
pub async fn list(
    request: HttpRequest,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let mut fields = query::fields(PARAMETERS, request.query_string());
    let limit = fields.optional("limit", read_limit).unwrap_or(DEFAULT_LIMIT);
    let after = fields.optional("cursor", |text| {
        let cursor = cursor::decode(&text).map(Some);
        cursor.ok_or_else(|| Fault::new("invalid_cursor", "must be the next_cursor of a page"))
    });
    let filter = PaymentFilter {
        status: fields.optional("status", read_status),
        reference: fields.optional("reference", |text| {
            let reference = Text::parse(text).map(Some);
            reference.map_err(|error| Fault::new("invalid_value", error.to_string()))
        }),
        idempotency_key: fields.optional("idempotency_key", |text| {
            let key = IdempotencyKey::from_body(&text).map(Some);
            key.map_err(|error| Fault::new("invalid_value", error.to_string()))
        }),
        created_from: fields.optional("created_from", read_time),
        created_to: fields.optional("created_to", read_time),
    };
    fields.finish()?;
    let page = api.payments.list(&scope.account, &filter, after, limit).await?;
    Ok(HttpResponse::Ok().json(Page {
        data: page.payments.iter().map(PaymentView::from).collect(),
        next_cursor: page.next.map(cursor::encode),
    }))
}

fn read_limit(text: String) -> Result<Option<u32>, Fault> {
    match text.parse() {
        Ok(limit @ 1..=100) => Ok(Some(limit)),
        _ => Err(Fault::new("out_of_range", LIMIT_RULE)),
    }
}

fn read_status(text: String) -> Result<Option<PaymentStatus>, Fault> {
    PaymentStatus::from_name(&text).map(Some).ok_or_else(|| {
        let names = PaymentStatus::ALL.map(PaymentStatus::as_str).join(", ");
        Fault::new("unknown_status", format!("must be one of {names}"))
    })
}

fn read_time(text: String) -> Result<Option<OffsetDateTime>, Fault> {
    let time = timestamp::parse(&text).map(Some);
    time.ok_or_else(|| {
        Fault::new("invalid_time", "must be an RFC 3339 time, such as 2026-01-31T12:00:00Z")
    })
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let page = json!({"data": [view::example("COMPLETED")], "next_cursor": null});
    let too_many = FieldError {
        field: "limit".to_owned(),
        code: "out_of_range",
        detail: LIMIT_RULE.to_owned(),
    };
    let of = parameter;
    let cursor = || values::string().pattern(Some("^[A-Za-z0-9_-]{32}$"));
    Endpoint::get("/v1/payments", "listPayments", "Payments, newest first")
        .tag("Payments")
        .parameter(of("limit", "Most payments of a page; 20 by default.", values::integer(1, 100)))
        .parameter(of("cursor", "The `next_cursor` of the page before.", cursor()))
        .parameter(of("status", "Those in this status.", view::status()))
        .parameter(of("reference", "Those of this reference.", values::text(1, 255)))
        .parameter(of("idempotency_key", "Those of this key.", values::key()))
        .parameter(of("created_from", "Those made then or later.", values::time()))
        .parameter(of("created_to", "Those made before.", values::time()))
        .answer::<Page<'_>>(200, "A page.", &[], page)
        .problem(&[], Problem::invalid_fields(vec![too_many]))
        .problems(&Code::OF_THE_STORE)
}
