//! The parameters of requests, those of several routes each described once.

use serde_json::json;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::ObjectBuilder;

use super::values;

/// `Idempotency-Key`.
pub fn idempotency_key() -> Parameter {
    let description = "Names this one payment: the same on every retry of it, and never used for \
                       another. 1 to 255 visible ASCII characters; quotes around it, as in RFC \
                       8941, do not count.";
    // Bare, or in quotes and then with RFC 8941's escapes.
    let key = r#"^([!#-+\--~]{1,255}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#;
    ParameterBuilder::from(header("Idempotency-Key", description))
        .schema(Some(values::string().pattern(Some(key)).build()))
        .required(Required::True)
        .example(Some(json!("order-42")))
        .build()
}

/// `Prefer`.
pub fn prefer() -> Parameter {
    let description = "`wait=N`: how many seconds a duplicate of a request that still runs waits \
                       for its answer. `respond-async`: answer 202 at once and pay later. What is \
                       not understood is ignored (RFC 7240).";
    header("Prefer", description)
}

/// `Prefer`, where all that counts is how long to wait.
pub fn prefer_wait() -> Parameter {
    let description = "`wait=N`: how many seconds a duplicate of a request that still runs waits \
                       for its answer. What is not understood is ignored (RFC 7240).";
    header("Prefer", description)
}

/// `X-Request-Id`.
pub fn request_id() -> Parameter {
    let description = "The client's own id of this request: 1 to 128 letters, digits, dots, \
                       hyphens and underscores. Any other is replaced.";
    header("X-Request-Id", description)
}

/// A header that may be left out.
pub fn header(name: &str, description: &str) -> Parameter {
    parameter(ParameterIn::Header, name, description, values::string())
}

/// A parameter of the query string that may be left out.
pub fn query(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    parameter(ParameterIn::Query, name, description, schema)
}

/// A segment of the path.
pub fn path(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    let parameter = parameter(ParameterIn::Path, name, description, schema);
    ParameterBuilder::from(parameter).required(Required::True).build()
}

/// The same with a value that is known.
pub fn example(parameter: Parameter, value: &str) -> Parameter {
    ParameterBuilder::from(parameter).example(Some(json!(value))).build()
}

fn parameter(
    place: ParameterIn,
    name: &str,
    description: &str,
    schema: ObjectBuilder,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .description(Some(description))
        .required(Required::False)
        .schema(Some(schema.build()))
        .build()
}
