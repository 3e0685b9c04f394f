//! The body of the format.

use payonce_domain::card_data;
use payonce_domain::idempotency::IdempotencyKey;
use serde_json::value::RawValue;

use crate::http::fields::{Fault, Fields};
use crate::http::json_object::JsonObject;
use crate::http::json_values::{card_fault, key, string};
use crate::http::problem::Problem;

const FIELDS: &[&str] = &["idempotency_id", "request_data"];

/// The key and the payload.
pub fn parse(body: &[u8]) -> Result<(IdempotencyKey, String), Problem> {
    let JsonObject(members) = JsonObject::parse(body)?;
    let mut fields = Fields::new(FIELDS, members);
    let key = fields.required("idempotency_id", key);
    let payload = fields.required("request_data", payload);
    fields.finish()?;
    match (key, payload) {
        (Some(key), Some(payload)) => Ok((key, payload)),
        // A body that was not refused has both.
        _ => Err(Problem::invalid_fields(Vec::new())),
    }
}

fn payload(raw: &RawValue) -> Result<Option<String>, Fault> {
    if raw.get() == "null" {
        return Ok(None);
    }
    match string(raw)? {
        empty if empty.is_empty() => Err(Fault::new("invalid_length", "must not be empty")),
        payload => {
            card_data::refuse_in_text(&payload).map_err(card_fault)?;
            Ok(Some(payload.into_owned()))
        }
    }
}
