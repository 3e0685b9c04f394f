//! A record that its owner settles, as a row: decided on what the owner knows, and to be written only
//! where the record is still that.

use std::time::Duration;

use payonce_domain::account::RequestId;
use payonce_domain::idempotency::{Settlement, StoredAnswer};
use payonce_domain::ports::{Settle, Settled};
use time::OffsetDateTime;

use super::values::{SqlTime, SqlUuid};

/// What a settle makes of a record that its owner still owns.
#[derive(Debug)]
pub struct SettledRow<'a> {
    pub(crate) account_id: &'a str,
    pub(crate) key_space: &'static str,
    pub(crate) key: &'a str,
    pub(crate) payment_id: SqlUuid,
    pub(crate) request_id: &'a str,
    pub(crate) fence: i64,
    pub(crate) answer_status: i16,
    pub(crate) answer_content_type: &'a str,
    pub(crate) answer_location: Option<&'a str>,
    pub(crate) answer_body: &'a [u8],
    pub(crate) settled_at: SqlTime,
    pub(crate) expires_at: SqlTime,
}

impl<'a> SettledRow<'a> {
    /// The row of a record that is settled at this time.
    pub fn of(call: &'a Settle, at: OffsetDateTime) -> Self {
        let (record, answer) = (&call.payment.record, &call.answer);
        Self {
            account_id: record.account.as_str(),
            key_space: record.space.as_str(),
            key: record.key.as_str(),
            payment_id: SqlUuid(call.payment.id.0),
            request_id: call.opened_by.as_str(),
            fence: call.fence.0,
            // Every status is below 600, as the table checks.
            answer_status: i16::try_from(answer.status).unwrap_or(i16::MAX),
            answer_content_type: &answer.content_type,
            answer_location: answer.location.as_deref(),
            answer_body: &answer.body,
            settled_at: SqlTime::truncated(at),
            expires_at: SqlTime::truncated(at + call.retention),
        }
    }

    /// The primary key.
    pub fn key(&self) -> (&str, &str, &str) {
        (self.account_id, self.key_space, self.key)
    }
}

/// What its owner is told once the row is written.
pub fn settled(
    answer: StoredAnswer,
    retention: Duration,
    opened_by: RequestId,
    at: OffsetDateTime,
) -> Settled {
    let mut settlement = Settlement::new(answer, retention, at);
    settlement.expires_at = SqlTime::truncated(settlement.expires_at).0;
    Settled::Stored(settlement.told(opened_by, at))
}
