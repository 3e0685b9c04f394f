//! Calls as a lane takes them. Whatever does not need the database is done by the caller, before and
//! after, and not in the lane, where it would be everybody's wait.

use std::cell::OnceCell;
use std::sync::Arc;

use payonce_domain::idempotency::IdempotencyRecord;
use payonce_domain::payment::Payment;
use payonce_domain::ports::{AnnouncedTransaction, OpenPayment, Opened, Owned, OwnedBy, Settle};
use payonce_domain::transaction::Transaction;
use time::OffsetDateTime;

use super::records::KnownRecord;
use super::rows::BEGINNING;
use crate::store::rows::{FinalState, PaymentRow, RecordRow};
use crate::store::transaction_queue::TransactionRow;
use crate::store::values::{SqlTime, SqlUuid};

/// A payment to open.
pub struct Opening {
    /// What is asked for.
    pub call: Arc<OpenPayment>,
    first: OnceCell<FirstOfItsKey>,
}

/// What becomes of a payment to open if nobody has used its key.
pub struct FirstOfItsKey {
    record: IdempotencyRecord,
    payment: Payment,
}

impl Opening {
    /// With nothing prepared.
    pub fn of(call: Arc<OpenPayment>) -> Self {
        Self { call, first: OnceCell::new() }
    }

    /// What becomes of it if it is the first, times from [`BEGINNING`]; prepared when first asked for.
    pub fn first(&self) -> &FirstOfItsKey {
        self.first.get_or_init(|| FirstOfItsKey::of(&self.call))
    }

    /// What the caller is told once that is written, at this time.
    pub fn opened(self, now: OffsetDateTime) -> Opened {
        let first = self.first.into_inner().unwrap_or_else(|| FirstOfItsKey::of(&self.call));
        let payment = first.payment.opened_at(now);
        if self.call.queued {
            return Opened::Pending(Box::new(payment));
        }
        Opened::Owned(Box::new(Owned {
            payment,
            fence: first.record.fence,
            request_id: first.record.request_id,
            fingerprint: first.record.fingerprint,
            by: OwnedBy::Opening,
            open_until: None,
            now,
        }))
    }

    /// What the caller is told of a key that was known already, where that is its stored answer and
    /// nothing else. An unreadable one is left to run alone, which says what is wrong with it.
    pub fn replayed(&self, known: KnownRecord) -> Option<Opened> {
        known.answer()?.replay(self.call.request.fingerprint()).map(Opened::Replay)
    }
}

impl FirstOfItsKey {
    fn of(call: &OpenPayment) -> Self {
        let record = call.record(BEGINNING);
        let payment = call.payment(record.generation, BEGINNING);
        Self { record, payment }
    }

    /// The record of its key.
    pub fn record(&self) -> RecordRow<'_> {
        RecordRow::from(&self.record)
    }

    /// Its payment.
    pub fn payment(&self) -> PaymentRow<'_> {
        PaymentRow::from(&self.payment).opened_by(self.record.fence)
    }
}

/// The final state of one payment.
#[derive(Debug)]
pub struct FinishedRow<'a> {
    pub(super) account_id: &'a str,
    pub(super) id: SqlUuid,
    pub(super) status: &'static str,
    pub(super) gateway_reference: Option<&'a str>,
    pub(super) failure_code: Option<&'static str>,
    pub(super) decline_code: Option<&'a str>,
    pub(super) completed_at: Option<SqlTime>,
}

impl<'a> FinishedRow<'a> {
    /// Of the payment that is settled.
    pub fn of(call: &'a Settle) -> Self {
        let end = FinalState::from(&call.payment);
        Self {
            account_id: call.payment.record.account.as_str(),
            id: SqlUuid(call.payment.id.0),
            status: end.status,
            gateway_reference: end.gateway_reference,
            failure_code: end.failure_code,
            decline_code: end.decline_code,
            completed_at: end.completed_at,
        }
    }
}

/// A transaction to store.
pub struct Announcing {
    /// What is asked for.
    pub call: AnnouncedTransaction,
    /// Its row.
    pub row: TransactionRow,
}

impl Announcing {
    /// Prepares the row, its times from [`BEGINNING`].
    pub fn of(call: AnnouncedTransaction) -> Self {
        let (key, contents) = (call.key.clone(), call.contents.clone());
        let accepted = Transaction::accepted(key, contents, call.delay, BEGINNING);
        Self { row: TransactionRow::from(&accepted), call }
    }
}
