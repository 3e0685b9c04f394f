//! The body of a canonical payment as the document describes it; `create_body` reads it.

use std::collections::BTreeMap;

use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::http::openapi::values;

/// A payment to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
pub struct NewPayment {
    /// An exact decimal in major units, with no more decimals than the currency has: `100`,
    /// `100.00` and `"100.00"` are the same. No number is rounded.
    #[schema(schema_with = values::asked_amount)]
    amount: String,
    /// An ISO 4217 code; where it is left out, the operator's default.
    #[schema(schema_with = currency, required = false)]
    currency: Option<String>,
    /// An opaque token that names how the payer pays; never a card's number.
    #[schema(schema_with = label, required = false)]
    payment_method: Option<String>,
    /// The client's own name for the payment.
    #[schema(schema_with = label, required = false)]
    reference: Option<String>,
    /// Free text. Like the other texts it must not hold a card number.
    #[schema(schema_with = description, required = false)]
    description: Option<String>,
    /// The client's own pairs.
    #[schema(schema_with = metadata, required = false)]
    metadata: Option<BTreeMap<String, String>>,
}

fn currency() -> ObjectBuilder {
    values::or_null(values::currency())
}

fn label() -> ObjectBuilder {
    values::or_null(values::text(1, 255))
}

fn description() -> ObjectBuilder {
    values::or_null(values::text(0, 1000))
}

fn metadata() -> ObjectBuilder {
    let pairs = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(values::text(1, 40).build()))
        .additional_properties(Some(values::text(0, 500)))
        .max_properties(Some(50));
    values::or_null(pairs)
}
