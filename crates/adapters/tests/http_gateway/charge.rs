//! `POST {base}/charges`: what each answer proves.

use std::time::Duration;

use payonce_domain::gateway::{Charge, ChargeOutcome, Decline};

use crate::scripted::{answer, charge, charge_with, charging, error, json, strange_charges};

fn approved() -> ChargeOutcome {
    ChargeOutcome::Approved(Charge { reference: "ch_1".to_owned() })
}

fn is_unknown(outcome: &ChargeOutcome) -> bool {
    matches!(outcome, ChargeOutcome::Unknown { .. })
}

#[tokio::test]
async fn executed_now_or_earlier_is_what_the_charge_says() {
    for status in [200, 201] {
        assert_eq!(charging(json(status, &charge("approved"))).await, approved());
        let declined = Decline { reference: Some("ch_1".into()), code: Some("no_funds".into()) };
        let outcome = charging(json(status, &charge("declined"))).await;
        assert_eq!(outcome, ChargeOutcome::Declined(declined));
        assert_eq!(charging(json(status, &charge("voided"))).await, ChargeOutcome::Voided);
    }
}

#[tokio::test]
async fn members_that_the_protocol_does_not_know_mean_nothing() {
    let body = charge("approved").replacen('{', r#"{"fee":{"amount":"1.00"},"#, 1);
    assert_eq!(charging(json(201, &body)).await, approved());
    let with_charset = answer(201, "Content-Type: application/json; charset=utf-8\r\n", &body);
    assert_eq!(charging(with_charset).await, approved());
}

#[tokio::test]
async fn a_charge_that_is_not_ours_or_not_whole_proves_nothing() {
    for (strange, body) in strange_charges() {
        for status in [200, 201] {
            let outcome = charging(json(status, &body)).await;
            assert!(is_unknown(&outcome), "{strange}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_charge_that_is_not_announced_as_json_proves_nothing() {
    for headers in ["Content-Type: text/html\r\n", ""] {
        let outcome = charging(answer(201, headers, &charge("approved"))).await;
        assert!(is_unknown(&outcome), "{headers}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_decline_stays_one_when_its_words_cannot_be_kept() {
    let body = charge_with(&[
        ("status", r#""declined""#),
        ("id", "null"),
        ("decline_code", r#""\u0000""#),
    ]);
    let declined = ChargeOutcome::Declined(Decline { reference: None, code: None });
    assert_eq!(charging(json(201, &body)).await, declined);
}

#[tokio::test]
async fn a_burnt_key_is_voided_only_where_the_gateway_says_so() {
    assert_eq!(charging(error(410, "key_voided")).await, ChargeOutcome::Voided);
    for other in [error(410, "gone"), answer(410, "Content-Type: text/html\r\n", "Gone")] {
        let outcome = charging(other).await;
        assert!(is_unknown(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_refusal_before_the_key_was_looked_at_did_nothing() {
    for status in [400, 401, 403, 404, 405, 413, 415, 429] {
        let html = "Content-Type: text/html\r\nRetry-After: 7\r\n";
        let ChargeOutcome::NotExecuted { reason, retry_after } =
            charging(answer(status, html, "<h1>No</h1>")).await
        else {
            panic!("{status} did nothing");
        };
        assert_eq!((reason, retry_after), (status.to_string(), Some(Duration::from_secs(7))));
        let plain = charging(error(status, "no_luck")).await;
        let reason = format!("{status} no_luck");
        assert_eq!(plain, ChargeOutcome::NotExecuted { reason, retry_after: None });
    }
}

#[tokio::test]
async fn what_stands_in_no_row_proves_nothing() {
    for status in
        [202, 204, 206, 300, 304, 402, 406, 408, 409, 418, 422, 425, 451, 500, 502, 503, 504, 599]
    {
        for script in [json(status, &charge("approved")), error(status, "key_voided")] {
            let outcome = charging(script).await;
            assert!(is_unknown(&outcome), "{status}: {outcome:?}");
        }
    }
    for (status, code) in [(409, "charge_in_flight"), (422, "key_reused")] {
        let outcome = charging(error(status, code)).await;
        assert_eq!(outcome, ChargeOutcome::Unknown { reason: format!("{status} {code}") });
    }
}

#[tokio::test]
async fn a_code_from_outside_reaches_the_timeline_only_when_it_is_plain() {
    for code in [r"a\u0000b", "A", "&lt;", &"x".repeat(41)] {
        let outcome = charging(error(500, code)).await;
        assert_eq!(outcome, ChargeOutcome::Unknown { reason: "500".to_owned() }, "{code}");
    }
}
