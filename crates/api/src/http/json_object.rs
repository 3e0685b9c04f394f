//! Reads one JSON object without losing anything: every member once, its value untouched.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::Deserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::problem::{Code, FieldError, Problem};

/// The members of an object, in their order; a name may stand more than once.
#[derive(Debug)]
pub struct JsonObject<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> JsonObject<'a> {
    /// Reads a whole body. Values are not looked into, so that no number is rounded.
    pub fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(body).map_err(|error| {
            Problem::new(Code::MalformedBody).detail(format!("The body is not UTF-8: {error}."))
        })?;
        let reading = RefCell::new(None);
        let mut json = serde_json::Deserializer::from_str(text);
        let members = json.deserialize_map(Members { reading: &reading });
        members
            .and_then(|members| json.end().map(|()| Self(members)))
            .map_err(|error| malformed(&error, reading.take()))
    }
}

fn malformed(error: &serde_json::Error, reading: Option<Cow<'_, str>>) -> Problem {
    // The library repeats what it found, whatever its length.
    let reason: String = error.to_string().chars().take(200).collect();
    let detail = format!("The body is no JSON object: {reason}.");
    let Some(name) = reading else {
        return Problem::new(Code::MalformedBody).detail(detail);
    };
    let field = shortened(&name);
    Problem::invalid_fields(vec![FieldError { field, code: "malformed", detail }])
}

/// Collects members, and notes which one is being read.
struct Members<'r, 'de> {
    reading: &'r RefCell<Option<Cow<'de, str>>>,
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            *self.reading.borrow_mut() = Some(name.0.clone());
            let value = map.next_value::<&'de RawValue>()?;
            *self.reading.borrow_mut() = None;
            if members.len() >= MOST_MEMBERS {
                return Err(A::Error::custom("it has too many members"));
            }
            members.push((name.0, value));
        }
        Ok(members)
    }
}

/// More than any format has; an attacker's object ends here.
const MOST_MEMBERS: usize = 1_000;

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A client's own name of a field, fit for an answer.
pub fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
