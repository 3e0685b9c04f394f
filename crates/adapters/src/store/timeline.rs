//! Rows of timelines: how entries are written, in as few rows as tell them, and read, one by one.

use diesel::prelude::*;
use payonce_domain::idempotency::{Fence, RecordId};
use payonce_domain::payment::{Actor, EventKind, NewEvent, PaymentEvent, PaymentId};

use super::error::StoreError;
use super::rows::Place;
use super::schema::{payment_events, payment_timeline};
use super::values::{SqlTime, SqlUuid};

/// A row of `payment_events`, or within one of `payment_outcomes`: an entry of a timeline, or two of them.
#[derive(Debug, Clone, PartialEq, Insertable)]
#[diesel(table_name = payment_events, treat_none_as_default_value = false)]
pub struct EventRow<'a> {
    pub(crate) account_id: &'a str,
    pub(crate) payment_id: SqlUuid,
    pub(crate) fence: i64,
    pub(crate) step: i32,
    pub(crate) at: SqlTime,
    pub(crate) actor: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) attempt: Option<i32>,
    pub(crate) detail: Option<&'a str>,
    /// The entry behind it, of which there is no more to say.
    pub(crate) followed_by: Option<&'static str>,
}

/// A row of `payment_timeline`: one entry.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = payment_timeline)]
pub struct TimelineRow {
    payment_id: SqlUuid,
    fence: i64,
    step: i32,
    at: SqlTime,
    actor: String,
    kind: String,
    attempt: Option<i32>,
    detail: Option<String>,
}

impl<'a> EventRow<'a> {
    /// What one transaction appends to a payment's timeline.
    pub fn all(
        record: &'a RecordId,
        payment: PaymentId,
        events: &'a [NewEvent],
        at: SqlTime,
    ) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::with_capacity(events.len());
        for event in events {
            if !rows.last_mut().is_some_and(|last| last.tells(event)) {
                rows.push(Self::new(record, payment, event, at));
            }
        }
        rows
    }

    /// The row of one entry.
    pub fn new(record: &'a RecordId, payment: PaymentId, event: &'a NewEvent, at: SqlTime) -> Self {
        Self {
            account_id: record.account.as_str(),
            payment_id: SqlUuid(payment.0),
            fence: event.fence.0,
            step: event.step,
            at,
            actor: event.actor.as_str(),
            kind: event.kind.as_str(),
            attempt: event.attempt.and_then(|attempt| attempt.try_into().ok()),
            detail: event.detail.as_deref(),
            followed_by: None,
        }
    }

    /// Tells that entry too, where it is the next one and its kind all that there is to say of it.
    pub fn tells(&mut self, event: &NewEvent) -> bool {
        let can = self.followed_by.is_none()
            && event.attempt.is_none()
            && event.detail.is_none()
            && self.step.checked_add(1) == Some(event.step)
            && self.fence == event.fence.0
            && self.actor == event.actor.as_str();
        if can {
            self.followed_by = Some(event.kind.as_str());
        }
        can
    }
}

impl TryFrom<TimelineRow> for PaymentEvent {
    type Error = StoreError;

    fn try_from(row: TimelineRow) -> Result<Self, Self::Error> {
        let at = Place { table: "payment_timeline", id: row.payment_id };
        let event = NewEvent {
            fence: Fence(row.fence),
            step: row.step,
            actor: at.present("actor", Actor::from_stored(&row.actor))?,
            kind: at.present("kind", EventKind::from_stored(&row.kind))?,
            attempt: row
                .attempt
                .map(u32::try_from)
                .transpose()
                .map_err(|error| at.broken("attempt", error))?,
            detail: row.detail,
        };
        Ok(Self { event, at: row.at.0 })
    }
}
