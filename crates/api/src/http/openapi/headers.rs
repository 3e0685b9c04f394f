//! The headers of answers, each described once.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Header, HeaderBuilder, Ref};

use super::values;

/// A header of an answer.
#[derive(Clone, Copy)]
pub struct AnswerHeader {
    /// Its name.
    pub name: &'static str,
    description: &'static str,
    schema: fn() -> ObjectBuilder,
    example: Option<&'static str>,
    is_always_there: bool,
}

impl AnswerHeader {
    const fn new(
        name: &'static str,
        description: &'static str,
        schema: fn() -> ObjectBuilder,
    ) -> Self {
        Self { name, description, schema, example: None, is_always_there: true }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// The same where not every such answer has it.
    #[must_use]
    pub const fn sometimes(self) -> Self {
        Self { is_always_there: false, ..self }
    }

    /// Under which name the document keeps it.
    pub fn component(self) -> String {
        let suffix = if self.is_always_there { "" } else { ".sometimes" };
        format!("{}{suffix}", self.name)
    }

    /// Where answers find it.
    pub fn reference(self) -> Ref {
        Ref::new(format!("#/components/headers/{}", self.component()))
    }

    /// What it is.
    pub fn described(self) -> Header {
        // The library knows no `required` of headers.
        let required = self.is_always_there.then(|| Extensions::from_iter([("required", true)]));
        HeaderBuilder::new()
            .description(Some(self.description))
            .schema(Some((self.schema)().build()))
            .example(self.example.map(Value::from))
            .extensions(required)
            .build()
    }
}

/// Every header of any of these answers, always there where each of them always has it.
pub fn shared(answers: &[Vec<AnswerHeader>]) -> Vec<AnswerHeader> {
    let mut shared = BTreeMap::new();
    for header in answers.iter().flatten() {
        let has_it = |other: &AnswerHeader| other.name == header.name && other.is_always_there;
        let is_always_there = answers.iter().all(|headers| headers.iter().any(has_it));
        shared.insert(header.name, AnswerHeader { is_always_there, ..*header });
    }
    shared.into_values().collect()
}

/// `X-Request-Id`.
pub const REQUEST_ID: AnswerHeader = AnswerHeader::new(
    "X-Request-Id",
    "The request's id: the client's own if it was a sane token, else one made for it.",
    values::string,
)
.example("01a1fdeb-6164-7700-8874-1b48ca4b8df4");
/// `Original-Request-Id`.
pub const ORIGINAL_REQUEST_ID: AnswerHeader = AnswerHeader::new(
    "Original-Request-Id",
    "On a replay: the id of the request that was answered first.",
    values::string,
)
.example("01a1fdeb-6164-7700-8874-1b48ca4b8df4")
.sometimes();
/// `Idempotency-Key`.
pub const IDEMPOTENCY_KEY: AnswerHeader =
    AnswerHeader::new("Idempotency-Key", "The request's key, as it was sent.", values::string)
        .example("order-42");
/// `Idempotent-Replayed`.
pub const IDEMPOTENT_REPLAYED: AnswerHeader = AnswerHeader::new(
    "Idempotent-Replayed",
    "Whether this is the stored answer of an earlier request.",
    || values::names(["true", "false"]),
)
.example("false");
/// `Idempotency-Expires`.
pub const IDEMPOTENCY_EXPIRES: AnswerHeader = AnswerHeader::new(
    "Idempotency-Expires",
    "When the stored answer stops being replayed (RFC 3339).",
    values::time,
)
.example("2026-11-22T11:43:44.028952Z");
/// `Location`.
pub const LOCATION: AnswerHeader =
    AnswerHeader::new("Location", "Where the payment is read.", values::string)
        .example("/v1/payments/01a1fdeb-6164-7700-8874-1b49e96ad766");
/// `Retry-After`.
pub const RETRY_AFTER: AnswerHeader = AnswerHeader::new(
    "Retry-After",
    "Seconds after which a repeat of the same request makes sense.",
    || values::string().pattern(Some("^[1-9][0-9]*$")),
)
.example("2");
/// `RateLimit`.
pub const RATE_LIMIT: AnswerHeader = AnswerHeader::new(
    "RateLimit",
    "Where a limit is set: `r`, requests left to this client; `t`, seconds until none is missing, \
     and in a 429 until there is one.",
    || values::string().pattern(Some(r#"^"default";r=[0-9]+;t=[1-9][0-9]*$"#)),
)
.example(r#""default";r=9998;t=1"#);
/// `RateLimit-Policy`.
pub const RATE_LIMIT_POLICY: AnswerHeader = AnswerHeader::new(
    "RateLimit-Policy",
    "Where a limit is set: `q`, requests that may come at once; `w`, seconds in which as many come \
     back.",
    || values::string().pattern(Some(r#"^"default";q=[1-9][0-9]*;w=[1-9][0-9]*$"#)),
)
.example(r#""default";q=10000;w=2"#);
/// `WWW-Authenticate`.
pub const WWW_AUTHENTICATE: AnswerHeader =
    AnswerHeader::new("WWW-Authenticate", "How to prove who asks.", || values::names(["Bearer"]))
        .example("Bearer");
/// `Preference-Applied`.
pub const PREFERENCE_APPLIED: AnswerHeader =
    AnswerHeader::new("Preference-Applied", "Where `Prefer: respond-async` was sent.", || {
        values::names(["respond-async"])
    })
    .example("respond-async")
    .sometimes();
/// `Cache-Control`.
pub const CACHE_CONTROL: AnswerHeader =
    AnswerHeader::new("Cache-Control", "Whether anybody may keep the answer.", values::string)
        .example("no-store");
/// `Content-Security-Policy`.
pub const CONTENT_SECURITY_POLICY: AnswerHeader = AnswerHeader::new(
    "Content-Security-Policy",
    "What the page may load, and from where.",
    values::string,
);
/// `Referrer-Policy`.
pub const REFERRER_POLICY: AnswerHeader = AnswerHeader::new(
    "Referrer-Policy",
    "Whom the page tells where a request came from.",
    values::string,
)
.example("no-referrer");
/// `X-Content-Type-Options`.
pub const X_CONTENT_TYPE_OPTIONS: AnswerHeader = AnswerHeader::new(
    "X-Content-Type-Options",
    "The body is nothing but its `Content-Type`.",
    values::string,
)
.example("nosniff");
