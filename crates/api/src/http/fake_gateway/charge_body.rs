//! Reads the body of a charge.

use payonce_domain::money::{Currency, Money};
use payonce_domain::ports::ChargeContents;
use payonce_domain::text::Text;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::http::openapi::values;

/// A charge, as the protocol asks for it. Members that it does not know mean nothing to it.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewCharge)]
pub struct ChargeBody {
    /// In major units, with exactly the currency's number of decimals.
    #[schema(schema_with = values::amount)]
    amount: String,
    #[schema(schema_with = values::currency)]
    currency: String,
    /// The caller's label.
    #[schema(schema_with = label, required = false)]
    reference: Option<String>,
    #[schema(schema_with = label, required = false)]
    payment_method: Option<String>,
}

fn label() -> ObjectBuilder {
    values::or_null(values::text(1, 255))
}

/// What is asked for, with the caller's label; else what the caller has to correct.
pub fn parse(body: &[u8]) -> Result<(ChargeContents, Option<String>), String> {
    let body: ChargeBody = serde_json::from_slice(body).map_err(|error| {
        // The library repeats what it found, whatever its length.
        let reason: String = error.to_string().chars().take(200).collect();
        format!("The body is no charge: {reason}.")
    })?;
    let currency: Currency =
        body.currency.parse().map_err(|error| format!("Correct currency: it {error}."))?;
    let money = Money::parse(&body.amount, currency)
        .map_err(|error| format!("Correct amount: it {error}."))?;
    if money.to_string() != body.amount {
        return Err(format!("Correct amount: it must be spelled {money}."));
    }
    for (name, text) in [("reference", &body.reference), ("payment_method", &body.payment_method)] {
        if let Some(text) = text {
            Text::<1, 255>::parse(text.as_str())
                .map_err(|error| format!("Correct {name}: it {error}."))?;
        }
    }
    let contents = ChargeContents {
        amount: body.amount,
        currency: body.currency,
        payment_method: body.payment_method,
    };
    Ok((contents, body.reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_read_as_it_is_spelled() {
        let body = br#"{"amount":"1.000","currency":"BHD","payment_method":"tok_1","new":[]}"#;
        let (contents, reference) = parse(body).unwrap();
        assert_eq!((contents.amount.as_str(), contents.currency.as_str()), ("1.000", "BHD"));
        assert_eq!(contents.payment_method.as_deref(), Some("tok_1"));
        assert_eq!(reference, None);
    }

    #[test]
    fn what_is_no_charge_is_refused_with_the_member_that_is_wrong() {
        for (body, named) in [
            ("", "body"),
            ("[]", "body"),
            (r#"{"amount":100,"currency":"USD"}"#, "body"),
            (r#"{"amount":"1.00","amount":"2.00","currency":"USD"}"#, "amount"),
            (r#"{"amount":"1.00"}"#, "currency"),
            (r#"{"amount":"1.00","currency":"usd"}"#, "currency"),
            (r#"{"amount":"1.0","currency":"USD"}"#, "amount"),
            (r#"{"amount":"-1.00","currency":"USD"}"#, "amount"),
            (r#"{"amount":"1.00","currency":"USD","reference":""}"#, "reference"),
            (r#"{"amount":"1.00","currency":"USD","payment_method":"\u0000"}"#, "payment_method"),
        ] {
            let refused = parse(body.as_bytes()).unwrap_err();
            assert!(refused.contains(named), "{body}: {refused}");
        }
    }
}
