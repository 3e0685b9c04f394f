//! `GET {base}/charges/{key}`: what each answer proves.

use payonce_domain::gateway::{Charge, Decline, LookUpOutcome};

use crate::scripted::{answer, charge, charge_with, error, json, looking_up, strange_charges};

fn is_nothing(outcome: &LookUpOutcome) -> bool {
    matches!(outcome, LookUpOutcome::Nothing { .. })
}

#[tokio::test]
async fn a_charge_is_what_it_says() {
    let approved = LookUpOutcome::Approved(Charge { reference: "ch_1".to_owned() });
    assert_eq!(looking_up(json(200, &charge("approved"))).await, approved);
    let declined = Decline { reference: Some("ch_1".into()), code: Some("no_funds".into()) };
    let outcome = looking_up(json(200, &charge("declined"))).await;
    assert_eq!(outcome, LookUpOutcome::Declined(declined));
}

#[tokio::test]
async fn a_key_that_was_burnt_unseen_has_no_amount() {
    let nameless = charge_with(&[
        ("status", r#""voided""#),
        ("id", "null"),
        ("amount", "null"),
        ("currency", "null"),
    ]);
    for body in [charge("voided"), nameless] {
        assert_eq!(looking_up(json(200, &body)).await, LookUpOutcome::Voided, "{body}");
    }
    let strange = charge_with(&[("status", r#""voided""#), ("amount", r#""1.00""#)]);
    let outcome = looking_up(json(200, &strange)).await;
    assert!(is_nothing(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_charge_that_is_not_ours_or_not_whole_proves_nothing() {
    for (strange, body) in strange_charges() {
        let outcome = looking_up(json(200, &body)).await;
        assert!(is_nothing(&outcome), "{strange}: {outcome:?}");
    }
    let html = looking_up(answer(200, "Content-Type: text/html\r\n", &charge("approved"))).await;
    assert!(is_nothing(&html), "{html:?}");
}

#[tokio::test]
async fn every_other_answer_proves_nothing() {
    for status in [201, 202, 204, 302, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503] {
        for script in [json(status, &charge("approved")), error(status, "key_voided")] {
            let outcome = looking_up(script).await;
            assert!(is_nothing(&outcome), "{status}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_key_that_was_not_seen_is_told_from_an_answer_that_says_nothing() {
    let not_found = looking_up(error(404, "not_found")).await;
    assert_eq!(not_found, LookUpOutcome::Unseen { reason: "404 not_found".to_owned() });
}
