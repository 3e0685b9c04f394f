//! `GET /fake-gateway/charges`: the books, for whoever has to tell whether somebody was charged twice.

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::LedgerEntry;
use payonce_domain::use_cases::fake_gateway::FakeGateway;
use serde::Serialize;
use serde_json::{Value, json};
use url::form_urlencoded;
use utoipa::ToSchema;

use super::document::{Error, KEY, TAG, example, with_errors};
use super::refusal::Refusal;
use super::view::ChargeView;
use super::{key, unavailable};
use crate::http::openapi::parameters::query as parameter;
use crate::http::openapi::{Endpoint, values};

const DEFAULT_LIMIT: u32 = 100;
const MOST: u32 = 1_000;

/// A page of the books, in the order of the keys.
#[derive(Serialize, ToSchema)]
#[schema(as = ChargeBooks)]
struct Page<'a> {
    data: Vec<Entry<'a>>,
    /// Names the next page, where there is one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// What a key stands for, and by what means it was paid.
#[derive(Serialize, ToSchema)]
#[schema(as = ChargeEntry)]
struct Entry<'a> {
    #[serde(flatten)]
    charge: ChargeView<'a>,
    /// As the caller spelled it.
    #[schema(required)]
    payment_method: Option<&'a str>,
}

/// A page of the books.
pub async fn books(request: HttpRequest, gateway: web::Data<FakeGateway>) -> HttpResponse {
    let (after, limit) = match read(request.query_string()) {
        Ok(read) => read,
        Err(refusal) => return refusal.answer(),
    };
    // One more tells whether there is a next page.
    let mut entries = match gateway.books(after, limit.saturating_add(1)).await {
        Ok(entries) => entries,
        Err(failure) => return unavailable(&failure),
    };
    let whole = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_last = entries.len() <= whole;
    entries.truncate(whole);
    let last = entries.last().filter(|_| !is_last);
    HttpResponse::Ok().json(Page {
        data: entries.iter().map(|(key, entry)| Entry::new(*key, entry)).collect(),
        next_cursor: last.map(|(key, _)| key.to_string()),
    })
}

impl<'a> Entry<'a> {
    fn new(key: GatewayKey, entry: &'a LedgerEntry) -> Self {
        let payment_method = match entry {
            LedgerEntry::Charge(charge) => charge.contents.payment_method.as_deref(),
            LedgerEntry::Voided => None,
        };
        Self { charge: ChargeView::entry(key, entry), payment_method }
    }
}

fn read(query: &str) -> Result<(Option<GatewayKey>, u32), Refusal> {
    let refusal = |detail: &str| Refusal::new("invalid_request", detail.to_owned());
    let (mut after, mut limit) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let is_repeated = match &*name {
            "cursor" => after.replace(key(&value)?).is_some(),
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=MOST).contains(number));
                let rule = "limit must be a number from 1 to 1000.";
                limit.replace(number.ok_or_else(|| refusal(rule))?).is_some()
            }
            _ => return Err(refusal("The parameters are cursor and limit.")),
        };
        if is_repeated {
            return Err(refusal("Send each parameter once."));
        }
    }
    Ok((after, limit.unwrap_or(DEFAULT_LIMIT)))
}

const INVALID: Error = (400, "invalid_request", "A parameter breaks a rule.", &[]);

/// How the document describes it.
pub fn document() -> Endpoint {
    let path = "/fake-gateway/charges";
    let limit = "Most entries of a page; 100 by default.";
    let endpoint = Endpoint::get(path, "listCharges", "The gateway's books")
        .tag(TAG)
        .description("Every key that was charged, declined or burnt. No real gateway shows these.")
        .parameter(parameter("limit", limit, values::integer(1, MOST)))
        .parameter(parameter("cursor", "The `next_cursor` of the page before.", values::uuid()))
        .answer::<Page<'_>>(200, "A page.", &[], page());
    with_errors(endpoint, &[INVALID])
}

fn page() -> Value {
    let mut entry = example("approved");
    if let Some(members) = entry.as_object_mut() {
        members.insert("payment_method".to_owned(), json!("tok_visa"));
    }
    json!({"data": [entry], "next_cursor": KEY})
}
