//! The kinds of values that travel, as the document describes them.

use utoipa::openapi::schema::{
    AnyOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type,
};

/// No control characters, as [`payonce_domain::text::Text`] has it.
const PRINTABLE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// Any text.
pub fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A whole number within bounds.
pub fn integer(least: u32, most: u32) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most))
}

/// A text of so many characters, none of them a control character.
pub fn text(fewest: usize, most: usize) -> ObjectBuilder {
    string().min_length(Some(fewest)).max_length(Some(most)).pattern(Some(PRINTABLE))
}

/// A key, or what else must not be blank: 1 to 255 printable characters.
pub fn key() -> ObjectBuilder {
    text(1, 255)
        .pattern(Some(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"))
}

/// One of these names.
pub fn names(names: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    string().enum_values(Some(names))
}

/// A UUID.
pub fn uuid() -> ObjectBuilder {
    string().format(Some(SchemaFormat::Custom("uuid".to_owned())))
}

/// A UUID, where there is one.
pub fn optional_uuid() -> ObjectBuilder {
    or_null(uuid())
}

/// A time (RFC 3339).
pub fn time() -> ObjectBuilder {
    string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// A time that may not have come yet.
pub fn optional_time() -> ObjectBuilder {
    or_null(time())
}

/// An amount as it is shown: with the currency's number of decimals.
pub fn amount() -> ObjectBuilder {
    string().pattern(Some(r"^[0-9]+(\.[0-9]+)?$"))
}

/// An amount as it is asked for: a number or its text.
pub fn asked_amount() -> AnyOfBuilder {
    // A number as JSON spells it, with a digit that is not zero.
    let positive = r"^(?=[0.]*[1-9])(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$";
    let text = string().pattern(Some(positive));
    AnyOfBuilder::new().item(positive_number()).item(text)
}

/// A number greater than zero.
pub fn positive_number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).exclusive_minimum(Some(0))
}

/// An ISO 4217 code.
pub fn currency() -> ObjectBuilder {
    string().pattern(Some("^[A-Z]{3}$"))
}

/// The same, or null.
pub fn or_null(value: ObjectBuilder) -> ObjectBuilder {
    let value = value.build();
    let types = match value.schema_type.clone() {
        SchemaType::Type(kind) => SchemaType::Array(vec![kind, Type::Null]),
        types @ (SchemaType::Array(_) | SchemaType::AnyValue) => types,
    };
    ObjectBuilder::from(value).schema_type(types)
}
