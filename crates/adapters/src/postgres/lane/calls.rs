//! Calls as a lane takes them. Whatever does not need the database is done by the caller, before and
//! after, and not in the lane, where it would be everybody's wait.

use std::cell::OnceCell;

use payonce_domain::idempotency::{Fence, IdempotencyRecord};
use payonce_domain::payment::Payment;
use payonce_domain::ports::{
    AnnouncedTransaction, OpenPayment, Opened, Owned, OwnedBy, Settle, Settled,
};
use payonce_domain::transaction::Transaction;
use time::OffsetDateTime;

use super::rows::BEGINNING;
use crate::store::rows::{EventRow, FinalState, PaymentRow, RecordRow};
use crate::store::settled_row::settled;
use crate::store::transaction_queue::TransactionRow;
use crate::store::values::{SqlTime, SqlUuid};

/// A payment to open.
pub struct Opening {
    /// What is asked for.
    pub call: OpenPayment,
    rows: OnceCell<OpeningRows>,
}

/// What is written for a payment to open if nobody has used its key.
pub struct OpeningRows {
    /// The record of its key.
    pub record: RecordRow,
    /// Its payment.
    pub payment: PaymentRow,
    /// The first entry of its timeline.
    pub created: EventRow,
    opened: Payment,
    fence: Fence,
}

impl Opening {
    /// With its rows still to be prepared.
    pub fn of(call: OpenPayment) -> Self {
        Self { call, rows: OnceCell::new() }
    }

    /// The rows, their times from [`BEGINNING`]; prepared when first asked for.
    pub fn rows(&self) -> &OpeningRows {
        self.rows.get_or_init(|| OpeningRows::of(&self.call))
    }

    /// What the caller is told once they are written, at this time.
    pub fn opened(self, now: OffsetDateTime) -> Opened {
        let rows = self.rows.into_inner().unwrap_or_else(|| OpeningRows::of(&self.call));
        let payment = rows.opened.opened_at(now);
        if self.call.queued {
            return Opened::Pending(Box::new(payment));
        }
        Opened::Owned(Box::new(Owned {
            payment,
            fence: rows.fence,
            request_id: self.call.request_id,
            by: OwnedBy::Opening,
            open_until: None,
            now,
        }))
    }

    /// What the caller is told of a key that was known already, where that is its stored answer and
    /// nothing else: a settled record does not change before it expires, so no lock is needed. An
    /// unreadable one is left to run alone, which says what is wrong with it.
    pub fn replayed(&self, known: KnownRecord) -> Option<Opened> {
        let record = IdempotencyRecord::try_from(known.row).ok()?;
        record.replay(&self.call.request.fingerprint(), known.now).map(Opened::Replay)
    }
}

impl OpeningRows {
    fn of(call: &OpenPayment) -> Self {
        let record = call.record(BEGINNING);
        let opened = call.payment(record.generation, BEGINNING);
        let created = call.created_event(record.fence);
        Self {
            record: RecordRow::from(&record),
            payment: PaymentRow::from(&opened),
            created: EventRow::new(&call.record, opened.id, &created, SqlTime(BEGINNING)),
            opened,
            fence: record.fence,
        }
    }
}

/// A record that was there already.
#[derive(Clone)]
pub struct KnownRecord {
    /// When it was read.
    pub now: OffsetDateTime,
    /// The record.
    pub row: RecordRow,
}

/// A payment to settle, as if its owner still owns it.
pub struct Settling {
    /// What is asked for.
    pub call: Settle,
    /// The end of its payment.
    pub finished: FinishedRow,
    /// Entries of its timeline.
    pub events: Vec<EventRow>,
}

impl Settling {
    /// Prepares the rows, their times from [`BEGINNING`].
    pub fn of(call: Settle) -> Self {
        let (record, payment) = (&call.payment.record, call.payment.id);
        let event = |event| EventRow::new(record, payment, event, SqlTime(BEGINNING));
        Self {
            finished: FinishedRow::of(&call),
            events: call.events.iter().map(event).collect(),
            call,
        }
    }

    /// What the caller is told once that is written, at this time.
    pub fn settled(self, now: OffsetDateTime) -> Settled {
        let Settle { answer, retention, opened_by, .. } = self.call;
        settled(answer, retention, opened_by, now)
    }
}

/// The final state of one payment.
#[derive(Debug)]
pub struct FinishedRow {
    pub(super) account_id: String,
    pub(super) id: SqlUuid,
    pub(super) status: String,
    pub(super) gateway_reference: Option<String>,
    pub(super) failure_code: Option<String>,
    pub(super) decline_code: Option<String>,
    pub(super) completed_at: Option<SqlTime>,
}

impl FinishedRow {
    fn of(call: &Settle) -> Self {
        let end = FinalState::from(&call.payment);
        Self {
            account_id: call.payment.record.account.as_str().to_owned(),
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
