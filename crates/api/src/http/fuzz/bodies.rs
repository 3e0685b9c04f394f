//! Bodies: what is accepted says so in exactly one way, and no amount is changed on the way in.

use std::collections::BTreeMap;

use payonce_domain::money::{Currency, Money};
use payonce_domain::payment::PaymentRequest;
use payonce_fuzzing::every_input;
use serde_json::json;
use serde_json::value::RawValue;

use super::assert_is_named;
use crate::http::problem::Problem;
use crate::http::{opaque, orders, pay, payments, webhooks};

fn usd() -> Currency {
    "USD".parse().expect("known")
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The members of a body that was accepted, read by the library alone.
fn members(body: &[u8]) -> Members<'_> {
    serde_json::from_slice(body).expect("what is accepted is an object")
}

/// The amount that a member spells, by its characters.
fn amount_in(members: &Members<'_>, currency: Currency) -> Option<Money> {
    let raw = members.get("amount")?.get();
    let text = if raw.starts_with('"') { serde_json::from_str(raw).ok()? } else { raw.to_owned() };
    Money::parse(&text, currency).ok()
}

/// The same object with its members in the other order, and space between them.
fn reordered(members: &Members<'_>) -> Vec<u8> {
    let members = members.iter().rev();
    let members: Vec<_> = members.map(|(name, raw)| format!("{} :\n{raw}", json!(name))).collect();
    format!(" {{\t{} }} ", members.join(" ,\r\n")).into_bytes()
}

/// What a format reads is read again from any other spelling of the same.
fn check<T: PartialEq + std::fmt::Debug>(
    body: &[u8],
    parse: impl Fn(&[u8]) -> Result<T, Problem>,
    spelled: impl Fn(&T) -> serde_json::Value,
    money: impl Fn(&T) -> Option<Money>,
) {
    let read = match parse(body) {
        Ok(read) => read,
        Err(problem) => return assert_is_named(&problem, body),
    };
    let members = members(body);
    if let Some(money) = money(&read) {
        assert_eq!(amount_in(&members, money.currency()), Some(money));
    }
    let again = |other: &[u8]| parse(other).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(again(&reordered(&members)), read);
    assert_eq!(again(spelled(&read).to_string().as_bytes()), read);
    // Half a body is none, and nothing may stand behind a whole one.
    assert!(parse(&[body, b"0"].concat()).is_err());
    assert!(parse(&[body, body].concat()).is_err());
    assert!(parse(&[b"\xef\xbb\xbf", body].concat()).is_err());
}

#[test]
fn a_payment_is_the_same_in_every_spelling() {
    every_input!("payment_body", |body: &[u8]| {
        check(
            body,
            |body| payments::create_body::parse(body, usd()),
            |read: &PaymentRequest| {
                json!({
                    "amount": read.money.to_string(),
                    "currency": read.money.currency().code(),
                    "payment_method": read.payment_method.as_ref().map(|it| it.as_str()),
                    "reference": read.reference.as_ref().map(|it| it.as_str()),
                    "description": read.description.as_ref().map(|it| it.as_str()),
                    "metadata": read.metadata.pairs(),
                })
            },
            |read| Some(read.money),
        );
    });
}

#[test]
fn a_user_s_payment_is_the_same_in_every_spelling() {
    every_input!("pay_body", |body: &[u8]| {
        check(
            body,
            |body| pay::body::parse(body, usd()),
            |(key, read)| {
                let user = &read.metadata.pairs()["user_id"];
                let amount = read.money.to_string();
                json!({ "user_id": user, "amount": amount, "idempotency_key": key.as_str() })
            },
            |(_, read)| Some(read.money),
        );
    });
}

#[test]
fn an_order_is_the_same_in_every_spelling() {
    every_input!("order_body", |body: &[u8]| {
        check(
            body,
            |body| orders::body::parse(body, usd()),
            |(order, read)| json!({ "order_id": order.as_str(), "amount": read.money.to_string() }),
            |(_, read)| Some(read.money),
        );
    });
}

#[test]
fn a_payload_is_kept_character_by_character() {
    every_input!("opaque_body", |body: &[u8]| {
        check(
            body,
            opaque::body::parse,
            |(key, payload)| json!({ "idempotency_id": key.as_str(), "request_data": payload }),
            |_| None,
        );
        if let Ok((_, payload)) = opaque::body::parse(body) {
            let sent: String =
                serde_json::from_str(members(body)["request_data"].get()).expect("a text");
            assert_eq!(payload, sent);
        }
    });
}

#[test]
fn a_transaction_is_the_same_in_every_spelling() {
    every_input!("transaction_body", |body: &[u8]| {
        check(
            body,
            |body| webhooks::transaction_body::parse(body, usd()),
            |(id, read)| {
                json!({
                    "transaction_id": id.as_str(),
                    "source_account": read.source_account.as_str(),
                    "destination_account": read.destination_account.as_str(),
                    "amount": read.money.to_string(),
                    "currency": read.money.currency().code(),
                })
            },
            |(_, read)| Some(read.money),
        );
    });
}
