//! The body of a canonical payment.

use std::collections::BTreeMap;
use std::fmt;

use payonce_domain::card_data;
use payonce_domain::money::Currency;
use payonce_domain::payment::{Metadata, Operation, PaymentRequest};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::http::fields::{Fault, Fields};
use crate::http::json_object::JsonObject;
use crate::http::json_values::{amount, card_fault, currency, free_text};
use crate::http::problem::Problem;

const FIELDS: &[&str] =
    &["amount", "currency", "payment_method", "reference", "description", "metadata"];

/// Reads and normalises the body; fails with every field that breaks a rule.
pub fn parse(body: &[u8], default_currency: Currency) -> Result<PaymentRequest, Problem> {
    let JsonObject(members) = JsonObject::parse(body)?;
    let mut fields = Fields::new(FIELDS, members);
    let currency = fields.optional("currency", currency).unwrap_or(default_currency);
    let money = fields.required("amount", |raw| amount(raw, currency));
    let payment_method = fields.optional("payment_method", free_text);
    let reference = fields.optional("reference", free_text);
    let description = fields.optional("description", free_text);
    let metadata = fields.optional("metadata", read_metadata).unwrap_or_default();
    fields.finish()?;
    // A body that was not refused has an amount.
    let money = money.ok_or_else(|| Problem::invalid_fields(Vec::new()))?;
    let operation = Operation::CreatePayment;
    Ok(PaymentRequest { operation, money, payment_method, reference, description, metadata })
}

fn read_metadata(raw: &RawValue) -> Result<Option<Metadata>, Fault> {
    if raw.get() == "null" {
        return Ok(None);
    }
    let StringPairs(pairs) = serde_json::from_str(raw.get()).map_err(|error| {
        let reason: String = error.to_string().chars().take(200).collect();
        Fault::new("invalid_type", format!("must be an object of strings: {reason}"))
    })?;
    let metadata = Metadata::parse(pairs)
        .map_err(|error| Fault::new("invalid_metadata", error.to_string()))?;
    card_data::refuse_in_pairs(metadata.pairs()).map_err(card_fault)?;
    Ok(Some(metadata))
}

/// An object whose values are strings and whose names stand once each.
struct StringPairs(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for StringPairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = StringPairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if pairs.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name must stand only once"));
                    }
                }
                Ok(StringPairs(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}
