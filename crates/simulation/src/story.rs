//! What one payment's client has seen: kept small, so that millions fit. It must know nothing of how
//! it is judged.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::wire::Final;

/// A payment as its client knows it.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// Its key.
    pub key: String,
    /// What its charge carries.
    pub token: String,
    /// The first final answer.
    pub first: Option<Final>,
    /// Final answers that were not the first one's bytes.
    pub differing: u64,
    /// The charges that answers told of.
    pub charges: BTreeSet<String>,
    /// Whether it was accepted (202) before it was settled.
    pub was_accepted: bool,
    /// Other requests under its key that were refused.
    pub conflicts: u64,
    /// Other requests under its key that were not, and what they were told.
    pub executed_others: Vec<String>,
    /// Answers that nobody may be given.
    pub strange: Vec<String>,
    /// What came instead of a final answer, the last time.
    pub last_trouble: String,
    /// Whether the run ended first.
    pub is_cut_off: bool,
}

impl Story {
    /// Of a payment that nobody has asked for yet.
    pub fn new(key: &str, token: &str) -> Self {
        Self { key: key.to_owned(), token: token.to_owned(), ..Self::default() }
    }

    /// A final answer to its own request.
    pub fn told(&mut self, answer: Final) {
        self.charges.extend(charge(&answer));
        match &self.first {
            Some(first) if *first != answer => self.differing = self.differing.saturating_add(1),
            Some(_) => {}
            None => self.first = Some(answer),
        }
    }
}

/// The charge that an answer tells of: the gateway's id of it, or the payment's own.
fn charge(answer: &Final) -> Option<String> {
    if answer.status != 201 {
        return None;
    }
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let named = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    named("gateway_reference").or_else(|| named("id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(body: &str) -> Final {
        Final {
            status: 201,
            content_type: "application/json".to_owned(),
            location: "/v1/payments/1".to_owned(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_first_answer_stays_and_every_other_one_is_counted() {
        let mut story = Story::new("k", "t");
        for body in [r#"{"id":"1"}"#, r#"{"id":"1"}"#, r#"{"id": "1"}"#] {
            story.told(paid(body));
        }
        assert_eq!((story.differing, story.charges.len()), (1, 1));
        story.told(Final { location: "/v1/payments/2".to_owned(), ..paid(r#"{"id":"1"}"#) });
        assert_eq!(story.differing, 2);
        assert_eq!(story.first, Some(paid(r#"{"id":"1"}"#)));
    }

    #[test]
    fn charges_are_told_apart_by_the_gateways_name_of_them() {
        let mut story = Story::new("k", "t");
        story.told(paid(r#"{"id":"1","gateway_reference":"ch_1"}"#));
        story.told(paid(r#"{"id":"1","gateway_reference":"ch_2"}"#));
        assert_eq!(story.charges.len(), 2);
    }
}
