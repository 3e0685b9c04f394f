//! Reads the `Idempotency-Key` header.

use std::borrow::Cow;

use actix_web::http::header::{HeaderMap, HeaderValue};
use payonce_domain::idempotency::IdempotencyKey;

use super::header_names::IDEMPOTENCY_KEY;
use super::problem::{Code, Problem};

/// A key with its spelling on the wire.
#[derive(Debug, Clone)]
pub struct KeyHeader {
    /// The key.
    pub key: IdempotencyKey,
    /// As the client spelled it, for the echo.
    pub echo: HeaderValue,
}

impl KeyHeader {
    /// Reads exactly one key.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(&IDEMPOTENCY_KEY);
        let Some(value) = values.next() else {
            let missing = Problem::new(Code::IdempotencyKeyMissing);
            return Err(if headers.contains_key("X-Idempotency-Key") {
                missing.detail("Send the key as Idempotency-Key, without X- before it.")
            } else {
                missing
            });
        };
        if values.next().is_some() {
            return Err(invalid("Send exactly one Idempotency-Key header."));
        }
        let Ok(text) = value.to_str() else {
            return Err(invalid(
                "The key must consist of visible ASCII characters, without spaces.",
            ));
        };
        match text.parse() {
            Ok(key) => Ok(Self { key, echo: value.clone() }),
            Err(error) => Err(invalid(format!("Correct the Idempotency-Key header: {error}."))),
        }
    }
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(Code::IdempotencyKeyInvalid).detail(detail)
}
