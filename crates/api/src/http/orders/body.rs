//! The body of the format.

use payonce_domain::idempotency::IdempotencyKey;
use payonce_domain::money::Currency;
use payonce_domain::payment::{Metadata, Operation, PaymentRequest};
use payonce_domain::text::Text;

use crate::http::fields::Fields;
use crate::http::json_object::JsonObject;
use crate::http::json_values::{amount, key};
use crate::http::problem::Problem;

const FIELDS: &[&str] = &["order_id", "amount"];

/// The order and what is to be paid for it; the order is the payment's reference too.
pub fn parse(body: &[u8], currency: Currency) -> Result<(IdempotencyKey, PaymentRequest), Problem> {
    let JsonObject(members) = JsonObject::parse(body)?;
    let mut fields = Fields::new(FIELDS, members);
    let order = fields.required("order_id", key);
    let money = fields.required("amount", |raw| amount(raw, currency));
    fields.finish()?;
    let (Some(order), Some(money)) = (order, money) else {
        // A body that was not refused has both.
        return Err(Problem::invalid_fields(Vec::new()));
    };
    let reference = Text::parse(order.as_str()).map_err(Problem::from_cause)?;
    let request = PaymentRequest {
        operation: Operation::StartPayment,
        money,
        payment_method: None,
        reference: Some(reference),
        description: None,
        metadata: Metadata::default(),
    };
    Ok((order, request))
}
