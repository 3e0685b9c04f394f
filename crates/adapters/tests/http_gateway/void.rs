//! `POST {base}/charges/{key}/void`: what each answer proves.

use payonce_domain::gateway::{Charge, Decline, VoidOutcome};

use crate::scripted::{Script, charge, charge_with, error, json, strange_charges, voiding};

fn is_nothing(outcome: &VoidOutcome) -> bool {
    matches!(outcome, VoidOutcome::Nothing { .. })
}

fn settled(charge: &str) -> Script {
    json(409, &format!(r#"{{"error":{{"code":"charge_settled","detail":""}},"charge":{charge}}}"#))
}

#[tokio::test]
async fn a_burnt_key_is_voided() {
    let nameless = charge_with(&[
        ("status", r#""voided""#),
        ("id", "null"),
        ("amount", "null"),
        ("currency", "null"),
    ]);
    for body in [charge("voided"), nameless] {
        assert_eq!(voiding(json(200, &body)).await, VoidOutcome::Voided, "{body}");
    }
}

#[tokio::test]
async fn a_declined_charge_stays_declined() {
    let declined = Decline { reference: Some("ch_1".into()), code: Some("no_funds".into()) };
    let outcome = voiding(json(200, &charge("declined"))).await;
    assert_eq!(outcome, VoidOutcome::Declined(declined));
}

#[tokio::test]
async fn an_approved_charge_is_settled_only_with_its_proof() {
    let ours = VoidOutcome::Settled(Charge { reference: "ch_1".to_owned() });
    assert_eq!(voiding(settled(&charge("approved"))).await, ours);
    for (strange, body) in strange_charges() {
        let outcome = voiding(settled(&body)).await;
        assert!(is_nothing(&outcome), "{strange}: {outcome:?}");
    }
    for other in [
        settled(&charge("voided")),
        settled(&charge("declined")),
        settled("null"),
        error(409, "charge_settled"),
        json(409, &charge("approved")),
        json(200, &charge("approved")),
    ] {
        let outcome = voiding(other.clone()).await;
        assert!(is_nothing(&outcome), "{other:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn every_other_answer_proves_nothing() {
    for (strange, body) in strange_charges() {
        let outcome = voiding(json(200, &body)).await;
        assert!(is_nothing(&outcome), "{strange}: {outcome:?}");
    }
    for status in [201, 202, 204, 302, 400, 401, 403, 404, 405, 410, 422, 429, 500, 503] {
        for script in [json(status, &charge("voided")), error(status, "key_voided")] {
            let outcome = voiding(script).await;
            assert!(is_nothing(&outcome), "{status}: {outcome:?}");
        }
    }
    let in_flight = voiding(error(409, "charge_in_flight")).await;
    assert_eq!(in_flight, VoidOutcome::Nothing { reason: "409 charge_in_flight".to_owned() });
}
