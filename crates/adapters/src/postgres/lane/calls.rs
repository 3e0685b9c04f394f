//! Calls as a lane takes them. Whatever does not need the database is done by the caller, before and
//! after, and not in the lane, where it would be everybody's wait.

use std::sync::Arc;

use payonce_domain::idempotency::IdempotencyRecord;
use payonce_domain::payment::Payment;
use payonce_domain::ports::{AnnouncedTransaction, OpenPayment, Opened, Owned, OwnedBy};
use payonce_domain::transaction::Transaction;
use time::OffsetDateTime;

use super::openings::OpeningRows;
use super::records::KnownRecord;
use super::rows::BEGINNING;
use crate::store::transaction_queue::TransactionRow;

/// A payment to open.
pub struct Opening {
    /// What is asked for.
    pub call: Arc<OpenPayment>,
    record: IdempotencyRecord,
    payment: Payment,
}

impl Opening {
    /// Prepares what becomes of it if it is the first, times from [`BEGINNING`].
    pub fn of(call: Arc<OpenPayment>) -> Self {
        let record = call.record(BEGINNING);
        let payment = call.payment(record.generation, BEGINNING);
        Self { call, record, payment }
    }

    /// The rows that it is if it is the first.
    pub fn rows(&self) -> OpeningRows<'_> {
        OpeningRows { record: (&self.record).into(), payment: (&self.payment).into() }
    }

    /// What the caller is told once that is written, at this time.
    pub fn opened(self, now: OffsetDateTime) -> Opened {
        let Self { call, record, payment } = self;
        let payment = payment.opened_at(now);
        if call.queued {
            return Opened::Pending(Box::new(payment));
        }
        Opened::Owned(Box::new(Owned {
            payment,
            fence: record.fence,
            request_id: record.request_id,
            fingerprint: record.fingerprint,
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
