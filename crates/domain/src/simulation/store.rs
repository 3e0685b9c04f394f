//! The store in memory: a transaction loads what it needs, lets the domain decide, and saves, as
//! those on PostgreSQL and SQLite do. Here, too, the store locks and the domain decides.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::macros::datetime;

use super::world::Break;
use crate::idempotency::{
    Claim, ClaimTerms, Fence, Fingerprint, IdempotencyRecord, RecordId, RecordState, SettledAnswer,
    Subject, differing_fields,
};
use crate::payment::{Actor, EventKind, NewEvent, Payment, PaymentId, PaymentStatus, Timeline};
use crate::ports::{
    BoxedError, HandOver, HandOverTo, LeaseRenewal, OpaqueStored, OpenPayment, Opened, Owned,
    OwnedBy, Renewed, RepositoryError, Settle, Settled, StoreOpaque, Sweep, Swept, TakeDue,
    TakeReviewed,
};
use crate::sabotage::{Rule, is_broken};
use crate::transaction::{Transaction, TransactionKey};

type Answered<T> = Result<T, RepositoryError>;

/// The tables, and the clock that decides.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) now: OffsetDateTime,
    pub(super) records: BTreeMap<RecordId, IdempotencyRecord>,
    pub(super) payments: BTreeMap<PaymentId, Payment>,
    pub(super) timelines: BTreeMap<(PaymentId, Fence, i32), NewEvent>,
    pub(super) transactions: BTreeMap<TransactionKey, Transaction>,
    /// Payments whose owners gave them up while somebody waited.
    pub(super) announced: Vec<PaymentId>,
    pub(super) broken: Option<Break>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            now: datetime!(2026-01-01 12:00 UTC),
            records: BTreeMap::new(),
            payments: BTreeMap::new(),
            timelines: BTreeMap::new(),
            transactions: BTreeMap::new(),
            announced: Vec::new(),
            broken: None,
        }
    }
}

/// What a row says that no rule allows.
fn inconsistent<T>(place: String, rule: &'static str) -> Answered<T> {
    Err(RepositoryError::Inconsistent { place, source: BoxedError::from(rule) })
}

impl Store {
    pub(super) fn open(&mut self, call: &OpenPayment) -> Answered<Opened> {
        if self.records.contains_key(&call.record) {
            return self.decide(call);
        }
        let mut record = call.record(self.now);
        self.begin(call, &mut record)
    }

    pub(super) fn replay(
        &self,
        record: &RecordId,
        fingerprint: &Fingerprint,
    ) -> Option<SettledAnswer> {
        self.records.get(record)?.clone().answer(self.now)?.replay(fingerprint)
    }

    fn begin(&mut self, call: &OpenPayment, record: &mut IdempotencyRecord) -> Answered<Opened> {
        let used = self.payments.values().filter(|it| it.record == record.id);
        let newest = used.max_by_key(|it| it.generation);
        if newest.is_some_and(|newest| newest.generation >= record.generation) {
            // The key was forgotten and its payments are not: this is their next generation.
            let newest = newest.expect("there is one");
            if !newest.is_final() {
                let place = format!("payment {}", newest.id);
                return inconsistent(place, "a payment under way has lost its record");
            }
            record.generation = newest.generation.next();
        }
        let payment = call.payment(record.generation, self.now);
        if self.payments.insert(payment.id, payment.clone()).is_some() {
            return inconsistent(format!("payment {}", payment.id), "its id is taken");
        }
        self.append(payment.id, &[call.created_event(record.fence)]);
        self.records.insert(record.id.clone(), record.clone());
        if call.queued {
            return Ok(Opened::Pending(Box::new(payment)));
        }
        Ok(Opened::Owned(Box::new(self.owned(payment, record, OwnedBy::Opening))))
    }

    fn decide(&mut self, call: &OpenPayment) -> Answered<Opened> {
        let now = self.now;
        let mut record = self.record(&call.record)?;
        let payment = match record.subject {
            Subject::Payment => Some(self.payment(record.payment_id)?),
            Subject::Opaque => None,
        };
        let may_take_over = payment.as_ref().is_some_and(|known| known.gateway == call.gateway);
        let claim = record.claim_again(&call.claim_terms(may_take_over), now);
        if claim == Claim::NextGeneration {
            record.state = call.first_state(now);
            return self.begin(call, &mut record);
        }
        self.save(&record);
        let Some(payment) = payment else {
            return Ok(match claim {
                Claim::Mismatch => Opened::Mismatch { payment: None, fields: vec!["operation"] },
                _ => Opened::Expired { payment: None },
            });
        };
        Ok(match claim {
            Claim::AlreadyOurs => {
                Opened::Owned(Box::new(self.owned(payment, &record, OwnedBy::Opening)))
            }
            Claim::TakenOver => {
                self.append(payment.id, &[call.taken_over_event(record.fence)]);
                Opened::Owned(Box::new(self.owned(payment, &record, OwnedBy::TakeOver)))
            }
            Claim::Replay(answer) => Opened::Replay(answer),
            Claim::Mismatch => Opened::Mismatch {
                payment: Some(payment.id),
                fields: differing_fields(&payment.request.fields(), &call.request.fields()),
            },
            Claim::InUse { lease_left } => Opened::InUse { payment: payment.id, lease_left },
            Claim::Pending => Opened::Pending(Box::new(payment)),
            Claim::Expired => Opened::Expired { payment: Some(payment.id) },
            Claim::NextGeneration | Claim::UnknownFingerprintVersion => {
                Opened::UnknownFingerprintVersion
            }
        })
    }

    pub(super) fn renew(&mut self, call: &LeaseRenewal) -> Answered<Renewed> {
        let now = self.now;
        let Some(mut record) = self.owned_record(&call.record, call.payment) else {
            return Ok(Renewed::FenceLost);
        };
        if record.renew(call.fence, call.lease, now).is_err() {
            return Ok(Renewed::FenceLost);
        }
        self.save(&record);
        let mut payment = self.payment(call.payment)?;
        // A void alone is no send of a charge.
        if payment.attempts < call.attempts {
            payment.first_sent_at.get_or_insert(now);
        }
        payment.attempts = call.attempts;
        if call.void_intended {
            payment.void_intended_at.get_or_insert(now);
        }
        self.payments.insert(payment.id, payment);
        self.append(call.payment, &call.events);
        Ok(Renewed::Granted)
    }

    pub(super) fn take_due(&mut self, call: &TakeDue) -> Answered<Vec<Owned>> {
        let now = self.now;
        let mut due: Vec<_> =
            self.records.values().filter_map(|it| Some((due_at(&it.state)?, it.clone()))).collect();
        due.sort_by_key(|(at, _)| *at);
        let mut taken = Vec::new();
        for (_, mut record) in due {
            if taken.len() >= usize::try_from(call.limit).expect("few") {
                break;
            }
            let payment = self.payment(record.payment_id)?;
            let is_ours = call.gateway.as_ref() == Some(&payment.gateway);
            let is_long_ago = payment.created_at <= now - call.review_after;
            if !(is_ours || is_long_ago) {
                continue;
            }
            if !record.take_due(call.lease, now) {
                continue;
            }
            self.save(&record);
            let event = Timeline::opening(record.fence, Actor::Recovery, EventKind::TakenOver);
            self.append(payment.id, &[event]);
            let open_until = record.open_until;
            taken.push(Owned { open_until, ..self.owned(payment, &record, OwnedBy::Recovery) });
        }
        Ok(taken)
    }

    pub(super) fn take_reviewed(&mut self, call: &TakeReviewed) -> Answered<Option<Owned>> {
        let now = self.now;
        let Some(mut record) = self.owned_record(&call.record, call.payment) else {
            return Ok(None);
        };
        if !record.take_in_review(call.lease, now) {
            return Ok(None);
        }
        self.save(&record);
        self.append(
            call.payment,
            &[Timeline::opening(record.fence, Actor::Operator, EventKind::TakenOver)],
        );
        let payment = self.payment(call.payment)?;
        Ok(Some(self.owned(payment, &record, OwnedBy::Operator)))
    }

    pub(super) fn hand_over(&mut self, call: &HandOver) -> Answered<Renewed> {
        let now = self.now;
        let Some(mut record) = self.owned_record(&call.record, call.payment) else {
            return Ok(Renewed::FenceLost);
        };
        let handed_over = match call.to {
            HandOverTo::Recovery(due_in) => {
                record.hand_over(call.fence, RecordState::Unknown { due_at: now + due_in })
            }
            HandOverTo::Client { due_in, open_for } => {
                record.leave_open(call.fence, now + due_in, now + open_for)
            }
            HandOverTo::Review => record.hand_over(call.fence, RecordState::InReview),
        };
        if handed_over.is_err() {
            return Ok(Renewed::FenceLost);
        }
        self.save(&record);
        let payment = self.payment(call.payment)?;
        if call.to == HandOverTo::Review && payment.status() == PaymentStatus::Processing {
            let payment = payment.send_to_review().expect("it is under way");
            self.payments.insert(payment.id, payment);
        }
        if record.is_awaited {
            self.announced.push(call.payment);
        }
        self.append(call.payment, &call.events);
        Ok(Renewed::Granted)
    }

    pub(super) fn settle(&mut self, call: &Settle) -> Answered<Settled> {
        let id = call.payment.id;
        let Some(mut record) = self.owned_record(&call.payment.record, id) else {
            return Ok(Settled::FenceLost);
        };
        let before = record.clone();
        let settled = record.settle(call.fence, call.answer.clone(), call.retention, self.now);
        let Ok(answer) = settled else {
            return Ok(Settled::FenceLost);
        };
        if record != before {
            if self.payment(id)?.is_final() {
                if !is_broken(Rule::Fence) {
                    let place = format!("payment {id}");
                    return inconsistent(place, "a payment under way is final already");
                }
            } else {
                let state = call.payment.state.clone();
                self.payments.insert(id, Payment { state, ..self.payment(id)? });
            }
            self.save(&record);
            self.append(id, &call.events);
            if record.is_awaited {
                self.announced.push(id);
            }
        }
        Ok(Settled::Stored(answer))
    }

    pub(super) fn sweep(&mut self, call: &Sweep) -> Answered<Swept> {
        let now = self.now;
        let mut swept = Swept::default();
        for record in self.records.values_mut() {
            if let RecordState::Settled(settlement) = &record.state
                && record.is_expired(now)
            {
                let (settled_at, expired_at) = (settlement.settled_at, settlement.expires_at);
                record.state = RecordState::Purged { settled_at, expired_at };
                swept.purged += 1;
            }
        }
        let forgets_all = self.broken == Some(Break::ForgottenUnderWay);
        self.records.retain(|_, record| match &record.state {
            RecordState::Purged { settled_at, .. } => *settled_at > now - call.memory,
            RecordState::Unknown { .. } => !forgets_all,
            _ => true,
        });
        Ok(swept)
    }

    pub(super) fn store_opaque(&mut self, call: &StoreOpaque) -> Answered<OpaqueStored> {
        let now = self.now;
        let settled = |record: &IdempotencyRecord| crate::idempotency::SettledAnswer {
            answer: call.answer.clone(),
            expires_at: now + record.id.space.retention(call.retention),
            told_at: now,
            request_id: record.request_id.clone(),
        };
        let Ok(mut record) = self.record(&call.record) else {
            let record = call.record(now);
            self.save(&record);
            return Ok(OpaqueStored::First(settled(&record)));
        };
        let terms = ClaimTerms {
            fingerprint: &call.fingerprint,
            subject: Subject::Opaque,
            candidate: call.candidate,
            request_id: &call.request_id,
            lease: std::time::Duration::ZERO,
            after_expiry: call.after_expiry,
            may_take_over: false,
        };
        let claim = record.claim_again(&terms, now);
        if claim == Claim::NextGeneration {
            record.state = call.settled(now);
        }
        self.save(&record);
        Ok(match claim {
            Claim::NextGeneration => OpaqueStored::First(settled(&record)),
            Claim::Replay(answer) if record.payment_id == call.candidate => {
                OpaqueStored::First(answer)
            }
            Claim::Replay(answer) => OpaqueStored::Replay(answer),
            Claim::Expired => OpaqueStored::Expired,
            _ => OpaqueStored::Mismatch,
        })
    }

    /// Unsettled payments, by the records of their keys, but for those that wait for an operator.
    pub(super) fn unsettled(&self) -> Vec<&IdempotencyRecord> {
        self.records.values().filter(|record| due_at(&record.state).is_some()).collect()
    }

    pub(super) fn in_review(&self) -> Vec<&IdempotencyRecord> {
        self.records.values().filter(|it| it.state == RecordState::InReview).collect()
    }

    fn record(&self, id: &RecordId) -> Answered<IdempotencyRecord> {
        match self.records.get(id) {
            Some(record) => Ok(record.clone()),
            None => inconsistent(format!("record {id}"), "there is none"),
        }
    }

    fn owned_record(&self, id: &RecordId, payment: PaymentId) -> Option<IdempotencyRecord> {
        self.records.get(id).filter(|record| record.payment_id == payment).cloned()
    }

    fn payment(&self, id: PaymentId) -> Answered<Payment> {
        match self.payments.get(&id) {
            Some(payment) => Ok(payment.clone()),
            None => inconsistent(format!("payment {id}"), "there is none"),
        }
    }

    fn save(&mut self, record: &IdempotencyRecord) {
        self.records.insert(record.id.clone(), record.clone());
    }

    fn append(&mut self, payment: PaymentId, events: &[NewEvent]) {
        for event in events {
            let place = (payment, event.fence, event.step);
            self.timelines.entry(place).or_insert_with(|| event.clone());
        }
    }

    fn owned(&self, payment: Payment, record: &IdempotencyRecord, by: OwnedBy) -> Owned {
        let (fence, request_id) = (record.fence, record.request_id.clone());
        let fingerprint = record.fingerprint.clone();
        Owned { payment, fence, request_id, fingerprint, by, open_until: None, now: self.now }
    }
}

fn due_at(state: &RecordState) -> Option<OffsetDateTime> {
    match state {
        RecordState::Running { lease_until: at }
        | RecordState::Open { due_at: at }
        | RecordState::Queued { due_at: at }
        | RecordState::Unknown { due_at: at } => Some(*at),
        RecordState::InReview | RecordState::Settled(_) | RecordState::Purged { .. } => None,
    }
}
