//! The body of the format.

use std::collections::BTreeMap;

use payonce_domain::idempotency::IdempotencyKey;
use payonce_domain::money::Currency;
use payonce_domain::payment::{Metadata, Operation, PaymentRequest};
use payonce_domain::text::Text;

use crate::http::fields::Fields;
use crate::http::json_object::JsonObject;
use crate::http::json_values::{amount, key, text};
use crate::http::problem::Problem;

const FIELDS: &[&str] = &["user_id", "amount", "idempotency_key"];

/// The key and what is to be paid; the user stands in the payment's metadata as `user_id`.
pub fn parse(body: &[u8], currency: Currency) -> Result<(IdempotencyKey, PaymentRequest), Problem> {
    let JsonObject(members) = JsonObject::parse(body)?;
    let mut fields = Fields::new(FIELDS, members);
    let user = fields.required("user_id", text::<1, 255>);
    let money = fields.required("amount", |raw| amount(raw, currency));
    let key = fields.required("idempotency_key", key);
    fields.finish()?;
    let (Some(user), Some(money), Some(key)) = (user, money, key) else {
        // A body that was not refused has all three.
        return Err(Problem::invalid_fields(Vec::new()));
    };
    Ok((key, request(&user, money)?))
}

fn request(
    user: &Text<1, 255>,
    money: payonce_domain::money::Money,
) -> Result<PaymentRequest, Problem> {
    let pairs = BTreeMap::from([("user_id".to_owned(), user.as_str().to_owned())]);
    Ok(PaymentRequest {
        operation: Operation::Pay,
        money,
        payment_method: None,
        reference: None,
        description: None,
        metadata: Metadata::parse(pairs).map_err(Problem::from_cause)?,
    })
}
