//! `GET /v1/transactions/{transaction_id}`.

use actix_web::{HttpRequest, HttpResponse, web};
use payonce_domain::money::Money;
use payonce_domain::transaction::{Transaction, TransactionId, TransactionKey};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::api::Api;
use crate::http::openapi::{Endpoint, parameters, values};
use crate::http::problem::{Code, Problem};
use crate::http::timestamp::rfc3339;
use crate::http::{RequestScope, path_rest};

/// The status of a transaction that is still to be processed.
pub const PROCESSING: &str = "PROCESSING";
const PROCESSED: &str = "PROCESSED";

/// A transaction, in the order of the contract.
#[derive(Serialize, ToSchema)]
#[schema(as = Transaction)]
struct TransactionView<'a> {
    transaction_id: &'a str,
    source_account: &'a str,
    destination_account: &'a str,
    /// In major units.
    #[schema(schema_with = values::positive_number)]
    amount: Box<RawValue>,
    #[schema(schema_with = values::currency)]
    currency: &'static str,
    #[schema(schema_with = statuses)]
    status: &'static str,
    #[schema(schema_with = values::time)]
    created_at: String,
    #[schema(schema_with = values::optional_time, required)]
    processed_at: Option<String>,
}

fn statuses() -> ObjectBuilder {
    values::names([PROCESSING, PROCESSED])
}

impl<'a> TryFrom<&'a Transaction> for TransactionView<'a> {
    type Error = serde_json::Error;

    fn try_from(transaction: &'a Transaction) -> Result<Self, Self::Error> {
        let contents = &transaction.contents;
        let processed_at = transaction.processed_at();
        Ok(Self {
            transaction_id: transaction.key.id.as_str(),
            source_account: contents.source_account.as_str(),
            destination_account: contents.destination_account.as_str(),
            amount: json_number(contents.money)?,
            currency: contents.money.currency().code(),
            // One that waits for an operator is still to be processed.
            status: if processed_at.is_some() { PROCESSED } else { PROCESSING },
            created_at: rfc3339(transaction.created_at),
            processed_at: processed_at.map(rfc3339),
        })
    }
}

/// The amount as a JSON number in its shortest spelling: `1500`, `0.5`.
fn json_number(money: Money) -> Result<Box<RawValue>, serde_json::Error> {
    let text = money.to_string();
    let shortest = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    RawValue::from_string(shortest.to_owned())
}

/// The transaction as it is now.
pub async fn get(
    request: HttpRequest,
    id: web::Path<String>,
    scope: RequestScope,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let none = || Problem::new(Code::TransactionNotFound);
    let id = TransactionId::parse(path_rest::without_own_slash(&request, &id));
    let key = TransactionKey { account: scope.account, id: id.map_err(|_no_id| none())? };
    let transaction = api.transactions.find(&key).await?.ok_or_else(none)?;
    let view = TransactionView::try_from(&transaction).map_err(Problem::from_cause)?;
    Ok(HttpResponse::Ok().json(view))
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let processed = json!({
        "transaction_id": "txn_abc123",
        "source_account": "acc_user_1",
        "destination_account": "acc_merchant_1",
        "amount": 1500,
        "currency": "INR",
        "status": PROCESSED,
        "created_at": "2026-11-21T11:43:43.973786Z",
        "processed_at": "2026-11-21T11:44:14.0284Z",
    });
    let path = "/v1/transactions/{transaction_id}";
    let id = parameters::path("transaction_id", "Its sender's name of it.", values::text(1, 255));
    Endpoint::get(path, "getTransaction", "The transaction as it is now")
        .tag("Transactions")
        .parameter(parameters::example(id, "txn_abc123"))
        .answer::<TransactionView<'_>>(200, "The transaction.", &[], processed)
        .problems(&[Code::TransactionNotFound])
        .problems(&Code::OF_THE_STORE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_number_in_its_shortest_spelling_and_exact() {
        for (amount, code, expected) in [
            ("1500", "INR", "1500"),
            ("1500.00", "INR", "1500"),
            ("0.50", "INR", "0.5"),
            ("100", "JPY", "100"),
            ("1.234", "BHD", "1.234"),
            ("92233720368547758.07", "INR", "92233720368547758.07"),
        ] {
            let money = Money::parse(amount, code.parse().expect("known")).expect("valid");
            assert_eq!(json_number(money).expect("a number").get(), expected);
        }
    }
}
