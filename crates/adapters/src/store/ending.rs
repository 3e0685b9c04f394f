//! How a payment ended, as rows: one of `payment_outcomes`, which has the last row of the timeline within it,
//! and what of the timeline came before in the same transaction.

use payonce_domain::payment::NewEvent;
use payonce_domain::ports::Settle;

use super::error::StoreError;
use super::rows::FinalState;
use super::timeline::EventRow;
use super::values::SqlTime;

/// The rows of one end.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending<'a> {
    pub(crate) status: &'static str,
    pub(crate) gateway_reference: Option<&'a str>,
    pub(crate) failure_code: Option<&'static str>,
    pub(crate) decline_code: Option<&'a str>,
    pub(crate) completed_at: SqlTime,
    /// When a payment that failed was made: lists of failures are in the order of that.
    pub(crate) created_at: Option<SqlTime>,
    pub(crate) last: EventRow<'a>,
    /// Rows of `payment_events`; none where one attempt proved it.
    pub(crate) before: Vec<EventRow<'a>>,
}

impl<'a> Ending<'a> {
    /// Of the payment that is settled at this time; fails where it has not ended, or no entry tells of it.
    pub fn of(call: &'a Settle, at: SqlTime) -> Result<Self, StoreError> {
        let payment = &call.payment;
        let is_none =
            |why| StoreError::inconsistent(format!("the end of payment {}", payment.id), why);
        let FinalState { status, gateway_reference, failure_code, decline_code, completed_at } =
            payment.into();
        let completed_at = completed_at.ok_or_else(|| is_none("it has not ended"))?;
        let row = |event: &'a NewEvent| EventRow::new(&payment.record, payment.id, event, at);
        let mut events = call.events.iter();
        let first = events.next().ok_or_else(|| is_none("no entry of its timeline tells of it"))?;
        let (mut last, mut before) = (row(first), Vec::new());
        for event in events {
            if !last.tells(event) {
                before.push(std::mem::replace(&mut last, row(event)));
            }
        }
        Ok(Self {
            status,
            gateway_reference,
            failure_code,
            decline_code,
            completed_at,
            created_at: failure_code.map(|_fails| SqlTime::truncated(payment.created_at)),
            last,
            before,
        })
    }
}
