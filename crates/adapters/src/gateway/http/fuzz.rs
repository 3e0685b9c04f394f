//! A gateway's answers, tried on every kind of bytes: nothing is concluded that they do not prove.
//!
//! A corpus file is a line with the status and the media type, and the body behind it.

use std::collections::BTreeMap;

use payonce_domain::gateway::{ChargeOutcome, GatewayKey, LookUpOutcome, VoidOutcome};
use payonce_fuzzing::every_input;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::conclusions::{Asked, of_charge, of_look_up, of_void};
use super::exchange::Answer;

fn asked() -> Asked {
    let key = GatewayKey(Uuid::from_u128(0x5eed));
    Asked { key, amount: "100.00".to_owned(), currency: "USD".to_owned() }
}

fn answer(input: &[u8]) -> Answer {
    let (head, body) = match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, &b""[..]),
    };
    let head = String::from_utf8_lossy(head);
    let status = head.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(200);
    let is_json = head.ends_with("application/json");
    Answer { status, retry_after: None, is_json, body: body.to_vec() }
}

/// The members of an object, each unread: an unknown one may hold anything.
type Members<'a> = BTreeMap<String, &'a RawValue>;

fn members(body: &[u8]) -> Members<'_> {
    serde_json::from_slice(body).unwrap_or_default()
}

fn member(members: &Members<'_>, name: &str) -> Value {
    members.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn inner<'a>(members: &Members<'a>, name: &str) -> Members<'a> {
    members.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// Whether a charge is ours, by the library's reading alone.
fn is_ours(charge: &Members<'_>, status: &str) -> bool {
    let is_same = |name: &str, wanted: &str| match member(charge, name) {
        Value::Null => status == "voided",
        found => found == wanted,
    };
    let key = member(charge, "key");
    key.as_str().and_then(|key| key.parse().ok()) == Some(asked().key.0)
        && member(charge, "status") == status
        && is_same("amount", "100.00")
        && is_same("currency", "USD")
}

/// What the timeline says is short and plain.
fn assert_is_plain(reason: &str) {
    assert!(reason.len() <= 200 && !reason.chars().any(char::is_control), "{reason:?}");
}

#[test]
fn nothing_is_concluded_that_an_answer_does_not_prove() {
    every_input!("gateway_answer", |input: &[u8]| {
        let answer = || answer(input);
        let (status, is_json) = (answer().status, answer().is_json);
        let sent = answer().body;
        let body = members(&sent);
        let has_code = |code: &str| is_json && member(&inner(&body, "error"), "code") == code;
        let is = |wanted: &str| is_json && is_ours(&body, wanted);

        match of_charge(Ok(answer()), &asked()) {
            ChargeOutcome::Approved(charge) => {
                assert!([200, 201].contains(&status) && is("approved"));
                assert_eq!(member(&body, "id"), charge.reference);
            }
            ChargeOutcome::Declined(_) => assert!([200, 201].contains(&status) && is("declined")),
            ChargeOutcome::Voided => assert!(
                [200, 201].contains(&status) && is("voided")
                    || status == 410 && has_code("key_voided")
            ),
            ChargeOutcome::NotExecuted { reason, .. } => {
                assert!([400, 401, 403, 404, 405, 413, 415, 429].contains(&status));
                assert_is_plain(&reason);
            }
            ChargeOutcome::Unknown { reason } => assert_is_plain(&reason),
            ChargeOutcome::Unreachable { .. } => panic!("it was reached"),
        }
        match of_look_up(Ok(answer()), &asked()) {
            LookUpOutcome::Approved(charge) => {
                assert!(status == 200 && is("approved"));
                assert_eq!(member(&body, "id"), charge.reference);
            }
            LookUpOutcome::Declined(_) => assert!(status == 200 && is("declined")),
            LookUpOutcome::Voided => assert!(status == 200 && is("voided")),
            LookUpOutcome::Unseen { reason } => {
                assert!(status == 404 && has_code("not_found"));
                assert_is_plain(&reason);
            }
            LookUpOutcome::Nothing { reason } => assert_is_plain(&reason),
        }
        match of_void(Ok(answer()), &asked()) {
            VoidOutcome::Voided => assert!(status == 200 && is("voided")),
            VoidOutcome::Declined(_) => assert!(status == 200 && is("declined")),
            VoidOutcome::Settled(charge) => {
                assert!(status == 409 && has_code("charge_settled"));
                let settled = inner(&body, "charge");
                assert!(is_ours(&settled, "approved"));
                assert_eq!(member(&settled, "id"), charge.reference);
            }
            VoidOutcome::Nothing { reason } => assert_is_plain(&reason),
        }
    });
}
