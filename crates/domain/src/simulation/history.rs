//! What clients were told, and whether it holds: while they are told, and when all is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::bank::{BankCharge, reference};
use super::ports::Spelling;
use super::world::World;
use crate::idempotency::{
    AfterExpiry, Fence, Fingerprint, KeySpace, RecordId, RecordState, SettledAnswer, StoredAnswer,
};
use crate::payment::{Payment, PaymentId, PaymentState};
use crate::ports::AnswerFormat;
use crate::transaction::{TransactionContents, TransactionKey, TransactionState};

#[derive(Debug, Default)]
pub(super) struct History {
    /// The first final answer of each payment.
    answers: BTreeMap<PaymentId, StoredAnswer>,
    /// The first answer of each operation that moves no money, by key and first request.
    opaque: BTreeMap<(RecordId, String), (Fingerprint, StoredAnswer)>,
    /// Payments that some answer spoke of.
    spoken_of: BTreeSet<PaymentId>,
    /// Transactions that were accepted.
    accepted: BTreeMap<TransactionKey, TransactionContents>,
    /// Transactions whose processing took effect.
    pub(super) processed: BTreeSet<TransactionKey>,
}

/// Who is told.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) record: RecordId,
    pub(super) fingerprint: Fingerprint,
}

impl World {
    pub(super) fn told_final(&mut self, asked: &Asked, told: &Arc<SettledAnswer>) {
        let body = String::from_utf8_lossy(&told.answer.body).into_owned();
        let id = body.split(' ').next().and_then(|id| id.parse::<Uuid>().ok());
        let Some(id) = id.map(PaymentId) else {
            return self.violated(format!("an answer of no payment: {body}"));
        };
        let first = self.history.answers.entry(id).or_insert_with(|| told.answer.clone());
        if *first != told.answer {
            let before = String::from_utf8_lossy(&first.body).into_owned();
            return self.violated(format!("answers differ: {before} / {body}"));
        }
        let stored = self.store.payments.get(&id);
        if stored.map(|it| Spelling.final_answer(it, &told.request_id)) != Some(told.answer.clone())
        {
            return self.violated(format!("an answer that the store does not know: {body}"));
        }
        self.told_of(asked, id);
    }

    /// An answer speaks of a payment.
    pub(super) fn told_of(&mut self, asked: &Asked, id: PaymentId) {
        self.history.spoken_of.insert(id);
        let Some(payment) = self.store.payments.get(&id) else {
            return self.violated(format!("{id} was spoken of, and is not stored"));
        };
        let is_theirs =
            payment.record == asked.record && payment.request.fingerprint() == asked.fingerprint;
        if !is_theirs {
            self.violated(format!("{id} was told to one who had not asked for it"));
        }
    }

    pub(super) fn told_opaque(&mut self, asked: &Asked, told: &SettledAnswer) {
        let place = (asked.record.clone(), told.request_id.as_str().to_owned());
        let known = (asked.fingerprint.clone(), told.answer.clone());
        if *self.history.opaque.entry(place).or_insert_with(|| known.clone()) != known {
            self.violated(format!("answers of {:?} differ", asked.record.key));
        }
    }

    pub(super) fn accepted(&mut self, key: &TransactionKey, contents: &TransactionContents) {
        let first = self.history.accepted.entry(key.clone()).or_insert_with(|| contents.clone());
        if first != contents {
            self.violated(format!("{} was accepted twice, with other contents", key.id));
        }
    }

    /// After every execution: no payment has two live charges.
    pub(super) fn check_charges(&mut self) {
        let mut references = BTreeSet::new();
        let twice = self.bank.live().find(|it| !references.insert(reference(&it.contents)));
        if let Some(charge) = twice {
            let of = reference(&charge.contents);
            self.violated(format!("charged twice: {of}"));
        }
    }

    /// Nothing is left that somebody would have to come to: the reason why not, where there is one.
    pub(super) fn is_unresolved(&self) -> Option<String> {
        if let Some(record) = self.store.unsettled().first() {
            return Some(format!("{} is {:?}", record.payment_id, record.state));
        }
        if let Some(record) = self.store.in_review().first() {
            return Some(format!("{} is in review", record.payment_id));
        }
        let is_done = |state| matches!(state, TransactionState::Processed { .. });
        let open = self.store.transactions.values().find(|it| !is_done(it.state));
        open.map(|it| format!("transaction {} is {:?}", it.key.id, it.state))
    }

    /// When all is over: the gateway's books, the store and what clients were told agree.
    pub(super) fn check_books(&mut self) {
        let mut wrong = Vec::new();
        for payment in self.store.payments.values() {
            let label = payment.id.to_string();
            let charges = self.bank.live().filter(|it| reference(&it.contents) == label);
            let charges: Vec<_> = charges.collect();
            if let Some(what) = disagreement(payment, &charges) {
                wrong.push(format!("{label} is {:?}, {what}", payment.state));
            }
            let record = self.store.records.get(&payment.record);
            if let Some(record) = record.filter(|it| it.payment_id == payment.id)
                && let RecordState::Settled(settlement) = &record.state
            {
                let told = self.history.answers.get(&payment.id);
                if told.is_some_and(|told| *told != settlement.answer) {
                    wrong.push(format!("{label} was told otherwise than it is stored"));
                }
            }
            let first_step = self.store.timelines.range((payment.id, Fence(0), 0)..);
            if first_step.take(1).all(|((id, _, _), _)| *id != payment.id) {
                wrong.push(format!("{label} has no timeline"));
            }
        }
        for charge in self.bank.live() {
            let of = reference(&charge.contents).parse::<Uuid>().map(PaymentId);
            if !of.is_ok_and(|id| self.store.payments.contains_key(&id)) {
                wrong.push(format!("{} was charged for no payment", charge.contents));
            }
        }
        for id in &self.history.spoken_of {
            if !self.store.payments.contains_key(id) {
                wrong.push(format!("{id} is lost"));
            }
        }
        wrong.extend(self.keys_paid_twice());
        wrong.extend(self.lost_transactions());
        if let Some(first) = wrong.into_iter().next() {
            self.violated(first);
        }
    }

    fn keys_paid_twice(&self) -> Vec<String> {
        let expires = self.terms.pay.retention.as_secs() < 60;
        let reuses = self.terms.after_expiry == AfterExpiry::Reuse || self.terms.memory < 60_000;
        let mut seen = BTreeSet::new();
        let payments = self.store.payments.values();
        let twice = payments.filter(|it| !seen.insert(&it.record));
        twice
            .filter(|it| !(expires && reuses && it.record.space == KeySpace::Key))
            .map(|it| format!("{:?} has two payments", it.record))
            .collect()
    }

    fn lost_transactions(&self) -> Vec<String> {
        let told = self.history.accepted.iter();
        told.filter_map(|(key, contents)| {
            let stored = self.store.transactions.get(key);
            match stored {
                None => Some(format!("transaction {} was accepted and is lost", key.id)),
                Some(it) if it.contents != *contents => Some(format!("{} has changed", key.id)),
                Some(_) if !self.history.processed.contains(key) => {
                    Some(format!("transaction {} has had no effect", key.id))
                }
                Some(_) => None,
            }
        })
        .collect()
    }
}

/// In what the books differ from a payment.
fn disagreement(payment: &Payment, charges: &[&BankCharge]) -> Option<String> {
    let amount = payment.request.money.minor().to_string();
    match (&payment.state, charges) {
        (PaymentState::Completed { gateway_reference, .. }, [charge]) => {
            let is_equal = charge.contents.split('|').next() == Some(amount.as_str())
                && charge.id == *gateway_reference;
            (!is_equal).then(|| format!("and charged is {charge:?}"))
        }
        (PaymentState::Failed { .. }, []) => None,
        (PaymentState::Processing | PaymentState::NeedsReview, _) => {
            Some("and not final".to_owned())
        }
        (_, charges) => Some(format!("and charged {} times", charges.len())),
    }
}
