//! How the document describes the webhook.

use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::receive::{Accepted, NOT_STORED};
use crate::http::openapi::{Endpoint, parameters, values};
use crate::http::problem::{Code, Problem};

const DESCRIPTION: &str = "\
202 means that the transaction is stored and will be processed once. It is also the answer to a \
duplicate, which changes nothing, and to the same id with other contents, which are noted while \
the first ones stay. After any other answer, send it again.\n\n\
Where the operator has set secrets, the headers of the \
[Standard Webhooks](https://www.standardwebhooks.com) scheme are required, over the bytes of the \
body.";

/// A transaction to be announced.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
struct NewTransaction {
    /// The sender's own name of it.
    #[schema(schema_with = name)]
    transaction_id: String,
    /// Where the money comes from.
    #[schema(schema_with = name)]
    source_account: String,
    /// Where it goes.
    #[schema(schema_with = name)]
    destination_account: String,
    /// An exact decimal in major units, with no more decimals than the currency has.
    #[schema(schema_with = values::asked_amount)]
    amount: String,
    /// An ISO 4217 code.
    #[schema(schema_with = values::currency)]
    currency: String,
}

fn name() -> ObjectBuilder {
    values::text(1, 255)
}

/// The one path.
pub fn documents() -> Vec<Endpoint> {
    let body = json!({
        "transaction_id": "txn_abc123",
        "source_account": "acc_user_1",
        "destination_account": "acc_merchant_1",
        "amount": 1500,
        "currency": "INR",
    });
    let accepted = json!({
        "message": "Transaction accepted",
        "transaction_id": "txn_abc123",
        "status": "PROCESSING",
    });
    let header = parameters::header;
    let path = "/v1/webhooks/transactions";
    let endpoint = Endpoint::post(path, "announceTransaction", "Announces a transaction")
        .tag("Transactions")
        .description(DESCRIPTION)
        .parameter(header("webhook-id", "The message's id, the same on every retry."))
        .parameter(header("webhook-timestamp", "Seconds since 1970; at most 5 minutes off."))
        .parameter(header("webhook-signature", "Signatures `v1,…`, with spaces between them."))
        .body::<NewTransaction>(&[("first", body)])
        .answer::<Accepted<'_>>(202, "Stored, now or earlier.", &[], accepted)
        .problems(&[Code::WebhookNotSigned, Code::ValidationFailed])
        .problems(&Code::OF_A_BODY)
        .problem(&[], Problem::new(Code::StoreUnavailable).detail(NOT_STORED))
        .problems(&[Code::ShuttingDown, Code::RequestTimeout]);
    vec![endpoint]
}
