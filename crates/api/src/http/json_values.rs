//! Reads single values of a JSON body; `null` counts as left out.

use std::borrow::Cow;

use payonce_domain::card_data::{self, CardData};
use payonce_domain::idempotency::{IdempotencyKey, InvalidIdempotencyKey};
use payonce_domain::money::{Currency, InvalidMoney, Money};
use payonce_domain::text::{InvalidText, Text};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::Fault;

/// An amount: a number or a string, never rounded.
pub fn amount(raw: &RawValue, currency: Currency) -> Result<Option<Money>, Fault> {
    let token = raw.get();
    if token == "null" {
        return Ok(None);
    }
    let money = if token.starts_with('"') {
        Money::parse(&string(raw)?, currency)
    } else if token.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        Money::parse(token, currency)
    } else {
        return Err(Fault::new("invalid_type", "must be a number or a string"));
    };
    money.map(Some).map_err(|error| {
        let code = match error {
            InvalidMoney::NotANumber => "not_a_number",
            InvalidMoney::NotPositive => "not_positive",
            InvalidMoney::TooManyDecimals { .. } => "too_many_decimals",
            InvalidMoney::OutOfRange => "out_of_range",
        };
        Fault::new(code, error.to_string())
    })
}

/// A currency by its ISO 4217 code.
pub fn currency(raw: &RawValue) -> Result<Option<Currency>, Fault> {
    if raw.get() == "null" {
        return Ok(None);
    }
    let code = string(raw)?;
    code.parse().map(Some).map_err(|error: payonce_domain::money::InvalidCurrency| {
        Fault::new("unknown_currency", error.to_string())
    })
}

/// A bounded text.
pub fn text<const MIN: usize, const MAX: usize>(
    raw: &RawValue,
) -> Result<Option<Text<MIN, MAX>>, Fault> {
    if raw.get() == "null" {
        return Ok(None);
    }
    Text::parse(string(raw)?).map(Some).map_err(|error| {
        let code = match error {
            InvalidText::Length { .. } => "invalid_length",
            InvalidText::Control => "invalid_characters",
        };
        Fault::new(code, error.to_string())
    })
}

/// A bounded text that is the client's own words, and no id: it must not hold a card number.
pub fn free_text<const MIN: usize, const MAX: usize>(
    raw: &RawValue,
) -> Result<Option<Text<MIN, MAX>>, Fault> {
    let text = text(raw)?;
    if let Some(text) = &text {
        card_data::refuse_in_text(text.as_str()).map_err(card_fault)?;
    }
    Ok(text)
}

/// How it is told that a field holds what belongs to a card.
pub fn card_fault(found: CardData) -> Fault {
    Fault::new("card_data", found.to_string())
}

/// Any string; it stays where it is unless it has escapes.
pub fn string(raw: &RawValue) -> Result<Cow<'_, str>, Fault> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

    if !raw.get().starts_with('"') {
        return Err(Fault::new("invalid_type", "must be a string"));
    }
    match serde_json::from_str(raw.get()) {
        Ok(Borrowed(string)) => Ok(string),
        Err(error) => Err(Fault::new("invalid_string", format!("must be a valid string: {error}"))),
    }
}

/// A key that travels in a body.
pub fn key(raw: &RawValue) -> Result<Option<IdempotencyKey>, Fault> {
    if raw.get() == "null" {
        return Ok(None);
    }
    IdempotencyKey::from_body(&string(raw)?).map(Some).map_err(|error| match error {
        InvalidIdempotencyKey::Length => {
            Fault::new("invalid_length", "must have 1 to 255 characters")
        }
        _ => Fault::new("invalid_characters", "must be printable, and not blank"),
    })
}
