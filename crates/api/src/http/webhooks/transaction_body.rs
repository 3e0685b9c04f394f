//! The body of an announced transaction.

use payonce_domain::money::Currency;
use payonce_domain::transaction::{TransactionContents, TransactionId};

use crate::http::fields::Fields;
use crate::http::json_object::JsonObject;
use crate::http::json_values::{amount, currency, text};
use crate::http::problem::Problem;

const FIELDS: &[&str] =
    &["transaction_id", "source_account", "destination_account", "amount", "currency"];

/// Reads the body; fails with every field that breaks a rule. Where the currency is bad, the amount
/// is judged by the decimals of `any_currency`.
pub fn parse(
    body: &[u8],
    any_currency: Currency,
) -> Result<(TransactionId, TransactionContents), Problem> {
    let JsonObject(members) = JsonObject::parse(body)?;
    let mut fields = Fields::new(FIELDS, members);
    let id = fields.required("transaction_id", text);
    let source_account = fields.required("source_account", text);
    let destination_account = fields.required("destination_account", text);
    let currency = fields.required("currency", currency);
    let money = fields.required("amount", |raw| amount(raw, currency.unwrap_or(any_currency)));
    fields.finish()?;
    let (Some(id), Some(source_account), Some(destination_account), Some(money)) =
        (id, source_account, destination_account, money)
    else {
        // A body that was not refused has all of them.
        return Err(Problem::invalid_fields(Vec::new()));
    };
    Ok((id.into(), TransactionContents { source_account, destination_account, money }))
}
