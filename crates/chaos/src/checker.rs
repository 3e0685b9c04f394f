//! What must hold after every run, whatever was done to the service: compares the gateway's books,
//! what clients saw, and the database. It knows no faults.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::books::{Books, PaymentRow};
use crate::history::{Final, Format, Payment, Webhook};
use crate::referee::Execution;

/// Examples kept of each violation.
const EXAMPLES: usize = 5;

/// Everything there is to compare.
pub struct Evidence<'a> {
    /// What the gateway executed.
    pub executions: &'a [Execution],
    /// What the database holds.
    pub books: &'a Books,
    /// What clients saw of payments.
    pub payments: &'a [Payment],
    /// What clients saw of webhooks.
    pub webhooks: &'a [Webhook],
    /// What only a fault excuses, where there was none.
    pub unexcused: &'a [(u64, String)],
    /// Secrets that were found in logs.
    pub leaks: &'a [String],
}

/// A rule that every run must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// C1: one payment, at most one live charge.
    DoubleCharges,
    /// C2: a charge without a completed payment, or a completed payment without its charge.
    BooksDiffer,
    /// I2: a payment that clients know of, and the database does not.
    LostPayments,
    /// C3: one key, one answer, word for word, the one that is stored.
    DifferingAnswers,
    /// C4: another request under a key is refused.
    CrossPayload,
    /// C5: everything comes to its end.
    Unresolved,
    /// C6: the sums are equal.
    SumsDiffer,
    /// C7: every accepted webhook is processed.
    WebhooksLost,
    /// C8: no failure without a fault.
    UnexcusedFailures,
    /// C9: no secret in a log.
    SecretsInLogs,
    /// No client is told what the contract has no words for.
    StrangeAnswers,
}

impl Rule {
    /// Whether it speaks of payments and their answers: what a broken protocol breaks, and trouble
    /// alone does not.
    pub fn is_a_promise(self) -> bool {
        !matches!(self, Self::UnexcusedFailures | Self::SecretsInLogs | Self::StrangeAnswers)
    }

    /// Every rule.
    pub const ALL: [Self; 11] = [
        Self::DoubleCharges,
        Self::BooksDiffer,
        Self::LostPayments,
        Self::DifferingAnswers,
        Self::CrossPayload,
        Self::Unresolved,
        Self::SumsDiffer,
        Self::WebhooksLost,
        Self::UnexcusedFailures,
        Self::SecretsInLogs,
        Self::StrangeAnswers,
    ];

    /// The rule in the words of the verdict.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::DoubleCharges => "double charges",
            Self::BooksDiffer => "books that differ",
            Self::LostPayments => "lost payments",
            Self::DifferingAnswers => "differing answers",
            Self::CrossPayload => "cross-payload replays",
            Self::Unresolved => "unresolved",
            Self::SumsDiffer => "sums that differ",
            Self::WebhooksLost => "webhooks lost",
            Self::UnexcusedFailures => "unexcused failures",
            Self::SecretsInLogs => "secrets in logs",
            Self::StrangeAnswers => "strange answers",
        }
    }
}

/// What was found.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Findings {
    /// How often each rule was broken; all of them, also those that held.
    pub broken: BTreeMap<Rule, u64>,
    /// Some of each.
    pub examples: BTreeMap<Rule, Vec<String>>,
    /// Payments by state.
    pub states: BTreeMap<String, u64>,
    /// Payments that had more than one owner.
    pub taken_over: u64,
}

impl Findings {
    /// Whether every rule held.
    pub fn is_clean(&self) -> bool {
        self.broken.values().all(|&times| times == 0)
    }

    /// A rule was broken.
    pub fn add(&mut self, rule: Rule, what: impl Into<String>) {
        let times = self.broken.entry(rule).or_default();
        *times = times.saturating_add(1);
        let examples = self.examples.entry(rule).or_default();
        if examples.len() < EXAMPLES {
            examples.push(what.into());
        }
    }
}

/// Judges a run.
pub fn check(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for rule in Rule::ALL {
        findings.broken.insert(rule, 0);
    }
    charges(evidence, &mut findings);
    answers(evidence, &mut findings);
    states(evidence, &mut findings);
    webhooks(evidence, &mut findings);
    for (at, what) in evidence.unexcused {
        findings.add(Rule::UnexcusedFailures, format!("{what} at {at} ms"));
    }
    for leak in evidence.leaks {
        findings.add(Rule::SecretsInLogs, leak.clone());
    }
    findings
}

/// C1, C2, C6.
fn charges(evidence: &Evidence<'_>, findings: &mut Findings) {
    let rows: HashMap<&str, &PaymentRow> =
        evidence.books.payments.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut live: HashMap<String, Vec<&Execution>> = HashMap::new();
    let mut charged = 0_u128;
    for execution in evidence.executions.iter().filter(|execution| execution.approved) {
        charged = charged.saturating_add(cents(&execution.contents.amount).unwrap_or(0).into());
        live.entry(execution.reference.replace('-', "")).or_default().push(execution);
    }
    for (payment, executions) in &live {
        if executions.len() > 1 {
            let ids: Vec<_> =
                executions.iter().map(|it| format!("{} under {}", it.id, it.key)).collect();
            findings.add(Rule::DoubleCharges, format!("payment {payment}: {}", ids.join(", ")));
        }
        let Some(row) = rows.get(payment.as_str()) else {
            findings.add(Rule::BooksDiffer, format!("a charge of no payment: {payment}"));
            continue;
        };
        if row.status == "NEEDS_REVIEW" {
            continue;
        }
        let is_his = executions.iter().any(|execution| {
            Some(execution.id.as_str()) == row.gateway_reference.as_deref()
                && cents(&execution.contents.amount).and_then(|it| i64::try_from(it).ok())
                    == Some(row.amount_minor)
                && execution.contents.currency == row.currency
        });
        if row.status != "COMPLETED" || !is_his {
            findings.add(
                Rule::BooksDiffer,
                format!("payment {payment} was charged and is {}", row.status),
            );
        }
    }
    let mut completed = 0_u128;
    let mut reviewed = false;
    for row in &evidence.books.payments {
        reviewed |= row.status == "NEEDS_REVIEW";
        if row.status == "COMPLETED" {
            completed = completed.saturating_add(u128::try_from(row.amount_minor).unwrap_or(0));
            if !live.contains_key(&row.id) {
                findings.add(
                    Rule::BooksDiffer,
                    format!("payment {} is COMPLETED without a charge", row.id),
                );
            }
        }
    }
    // What an operator has to decide may or may not have been charged.
    if completed != charged && !reviewed {
        findings.add(Rule::SumsDiffer, format!("{charged} charged, {completed} completed"));
    }
}

/// I2, C3, C4, and what nobody may be told.
fn answers(evidence: &Evidence<'_>, findings: &mut Findings) {
    let rows: HashMap<(&str, &str), &PaymentRow> = evidence
        .books
        .payments
        .iter()
        .map(|row| ((row.key_space.as_str(), row.key.as_str()), row))
        .collect();
    for payment in evidence.payments {
        let name = format!("{:?} {}", payment.format, payment.key);
        for what in &payment.strange {
            findings.add(Rule::StrangeAnswers, format!("{name}: {what}"));
        }
        for what in &payment.leaked {
            findings.add(Rule::CrossPayload, format!("{name}: {what}"));
        }
        if !payment.differing.is_empty() {
            let times = payment.differing.len();
            findings.add(Rule::DifferingAnswers, format!("{name}: {times} unlike the first"));
        }
        let row = rows.get(&(payment.format.space(), payment.key.as_str()));
        match (row, &payment.first) {
            (None, _) if payment.is_known => {
                findings.add(Rule::LostPayments, format!("{name} is not in the database"));
            }
            (Some(row), Some(first)) => {
                if !is_stored(first, row) {
                    findings.add(
                        Rule::DifferingAnswers,
                        format!("{name}: the answer is not the stored one"),
                    );
                }
                let is_true = match (payment.format, first.status) {
                    (_, 402 | 502) => row.status == "FAILED",
                    (Format::Canonical | Format::Pay | Format::Order, _) => {
                        row.status == "COMPLETED"
                    }
                };
                if !is_true {
                    let (answer, state) = (first.status, &row.status);
                    findings
                        .add(Rule::BooksDiffer, format!("{name}: told {answer}, and is {state}"));
                }
            }
            (Some(row), None) if row.status != "NEEDS_REVIEW" => {
                findings.add(Rule::Unresolved, format!("{name}: never a final answer"));
            }
            _ => {}
        }
    }
}

fn is_stored(answer: &Final, row: &PaymentRow) -> bool {
    row.answer_status == Some(i64::from(answer.status))
        && row.answer_body.as_deref() == Some(answer.body.as_slice())
}

/// C5.
fn states(evidence: &Evidence<'_>, findings: &mut Findings) {
    for row in &evidence.books.payments {
        let count = findings.states.entry(row.status.clone()).or_default();
        *count = count.saturating_add(1);
        if row.fence.unwrap_or(0) > 1 {
            findings.taken_over = findings.taken_over.saturating_add(1);
        }
        let is_settled = row.state.as_deref() == Some("settled");
        let is_final = matches!(row.status.as_str(), "COMPLETED" | "FAILED");
        let in_review = row.status == "NEEDS_REVIEW" && row.state.as_deref() == Some("in_review");
        if !(is_settled && is_final || in_review) {
            let state = row.state.as_deref().unwrap_or("no record");
            findings.add(
                Rule::Unresolved,
                format!("payment {} is {}, its key {state}", row.id, row.status),
            );
        }
    }
}

/// C7.
fn webhooks(evidence: &Evidence<'_>, findings: &mut Findings) {
    let rows: HashMap<_, _> =
        evidence.books.transactions.iter().map(|row| (row.transaction_id.as_str(), row)).collect();
    for webhook in evidence.webhooks {
        for what in &webhook.strange {
            findings.add(Rule::StrangeAnswers, format!("{}: {what}", webhook.id));
        }
        match rows.get(webhook.id.as_str()) {
            None if webhook.is_accepted => {
                findings
                    .add(Rule::WebhooksLost, format!("{} was accepted and is gone", webhook.id));
            }
            Some(row) if row.state != "processed" => {
                findings.add(Rule::WebhooksLost, format!("{} is {}", webhook.id, row.state));
            }
            Some(row) if i64::try_from(webhook.minor) != Ok(row.amount_minor) => {
                findings.add(
                    Rule::WebhooksLost,
                    format!("{}: its first contents are gone", webhook.id),
                );
            }
            _ => {}
        }
    }
}

fn cents(amount: &str) -> Option<u64> {
    let (whole, part) = amount.split_once('.')?;
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part.parse().ok()?)
}

#[cfg(test)]
mod tests;
