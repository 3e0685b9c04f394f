//! Rows, and their way into and out of the domain. A row that breaks a rule is named, never
//! repaired.

use std::borrow::Cow;
use std::collections::BTreeMap;

use diesel::prelude::*;
use payonce_domain::gateway::{GatewayIdentity, GatewayKey};
use payonce_domain::idempotency::{
    Fence, Fingerprint, Generation, IdempotencyKey, IdempotencyRecord, KeySpace, RecordId,
    RecordState, Settlement, StoredAnswer, Subject,
};
use payonce_domain::money::Money;
use payonce_domain::payment::{
    Failure, Metadata, Operation, Payment, PaymentId, PaymentRequest, PaymentState, PaymentStatus,
};
use payonce_domain::ports::BoxedError;
use payonce_domain::text::Text;

use super::error::StoreError;
use super::schema::{idempotency_records, payment_states};
use super::values::{SqlJson, SqlTime, SqlUuid};

/// A row of `idempotency_records`.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = idempotency_records)]
pub struct RecordRow<'a> {
    pub(crate) account_id: Cow<'a, str>,
    pub(crate) key_space: Cow<'a, str>,
    pub(crate) key: Cow<'a, str>,
    pub(crate) generation: i32,
    pub(crate) subject: Cow<'a, str>,
    pub(crate) payment_id: SqlUuid,
    pub(crate) fingerprint_version: i16,
    pub(crate) fingerprint: Cow<'a, [u8]>,
    pub(crate) request_id: Cow<'a, str>,
    pub(crate) fence: i64,
    pub(crate) opening_fence: i64,
    pub(crate) state: Cow<'a, str>,
    pub(crate) due_at: Option<SqlTime>,
    pub(crate) open_until: Option<SqlTime>,
    pub(crate) is_awaited: bool,
    pub(crate) first_seen_at: SqlTime,
    pub(crate) last_seen_at: SqlTime,
    pub(crate) settled_at: Option<SqlTime>,
    pub(crate) expires_at: Option<SqlTime>,
    pub(crate) answer_status: Option<i16>,
    pub(crate) answer_content_type: Option<Cow<'a, str>>,
    pub(crate) answer_location: Option<Cow<'a, str>>,
    pub(crate) answer_body: Option<Cow<'a, [u8]>>,
}

/// A row of `payment_states`, and of `payments`, where it is inserted.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = payment_states)]
pub struct PaymentRow<'a> {
    pub(crate) account_id: Cow<'a, str>,
    pub(crate) id: SqlUuid,
    pub(crate) key_space: Cow<'a, str>,
    pub(crate) key: Cow<'a, str>,
    pub(crate) generation: i32,
    pub(crate) operation: Cow<'a, str>,
    pub(crate) status: Cow<'a, str>,
    pub(crate) amount_minor: i64,
    pub(crate) currency: Cow<'a, str>,
    pub(crate) payment_method: Option<Cow<'a, str>>,
    pub(crate) reference: Option<Cow<'a, str>>,
    pub(crate) description: Option<Cow<'a, str>>,
    pub(crate) metadata: SqlJson,
    pub(crate) gateway_kind: Cow<'a, str>,
    pub(crate) gateway_base_url: Cow<'a, str>,
    pub(crate) gateway_account: Cow<'a, str>,
    pub(crate) gateway_key: SqlUuid,
    pub(crate) gateway_request: Cow<'a, [u8]>,
    pub(crate) gateway_reference: Option<Cow<'a, str>>,
    pub(crate) attempts: i32,
    pub(crate) first_sent_at: Option<SqlTime>,
    pub(crate) void_intended_at: Option<SqlTime>,
    pub(crate) failure_code: Option<Cow<'a, str>>,
    pub(crate) decline_code: Option<Cow<'a, str>>,
    pub(crate) created_at: SqlTime,
    pub(crate) completed_at: Option<SqlTime>,
    /// Written when it is opened, and then read by the timeline alone.
    pub(crate) opening_fence: Option<i64>,
}

/// What a payment's state is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct FinalState<'a> {
    pub(crate) status: &'static str,
    pub(crate) gateway_reference: Option<&'a str>,
    pub(crate) failure_code: Option<&'static str>,
    pub(crate) decline_code: Option<&'a str>,
    pub(crate) completed_at: Option<SqlTime>,
}

impl<'a> From<&'a IdempotencyRecord> for RecordRow<'a> {
    fn from(record: &'a IdempotencyRecord) -> Self {
        let mut row = Self {
            account_id: record.id.account.as_str().into(),
            key_space: record.id.space.as_str().into(),
            key: record.id.key.as_str().into(),
            generation: record.generation.0,
            subject: record.subject.as_str().into(),
            payment_id: SqlUuid(record.payment_id.0),
            fingerprint_version: record.fingerprint.version,
            fingerprint: record.fingerprint.digest.as_ref().into(),
            request_id: record.request_id.as_str().into(),
            fence: record.fence.0,
            opening_fence: record.opening_fence.0,
            state: Cow::default(),
            due_at: None,
            open_until: record.open_until.map(SqlTime::truncated),
            is_awaited: record.is_awaited,
            first_seen_at: SqlTime::truncated(record.first_seen_at),
            last_seen_at: SqlTime::truncated(record.last_seen_at),
            settled_at: None,
            expires_at: None,
            answer_status: None,
            answer_content_type: None,
            answer_location: None,
            answer_body: None,
        };
        row.set_state(&record.state);
        row
    }
}

impl<'a> RecordRow<'a> {
    /// The primary key.
    pub fn key(&self) -> (&str, &str, &str) {
        (&self.account_id, &self.key_space, &self.key)
    }

    fn set_state(&mut self, state: &'a RecordState) {
        let (name, due_at) = match state {
            RecordState::Running { lease_until } => ("running", Some(*lease_until)),
            RecordState::Open { due_at } => ("open", Some(*due_at)),
            RecordState::Queued { due_at } => ("queued", Some(*due_at)),
            RecordState::Unknown { due_at } => ("unknown", Some(*due_at)),
            RecordState::InReview => ("in_review", None),
            RecordState::Settled(settlement) => {
                self.settled_at = Some(SqlTime::truncated(settlement.settled_at));
                self.expires_at = Some(SqlTime::truncated(settlement.expires_at));
                // Every status is below 600, as the table checks.
                self.answer_status = i16::try_from(settlement.answer.status).ok();
                self.answer_content_type = Some(settlement.answer.content_type.as_str().into());
                self.answer_location = settlement.answer.location.as_deref().map(Cow::from);
                self.answer_body = Some(settlement.answer.body.as_ref().into());
                ("settled", None)
            }
            RecordState::Purged { settled_at, expired_at } => {
                self.settled_at = Some(SqlTime::truncated(*settled_at));
                self.expires_at = Some(SqlTime::truncated(*expired_at));
                ("purged", None)
            }
        };
        self.state = name.into();
        self.due_at = due_at.map(SqlTime::truncated);
    }
}

impl TryFrom<RecordRow<'_>> for IdempotencyRecord {
    type Error = StoreError;

    fn try_from(mut row: RecordRow<'_>) -> Result<Self, Self::Error> {
        let at = Place { table: "idempotency_records", id: row.payment_id };
        let state = record_state(&mut row, &at)?;
        Ok(Self {
            id: record_id(&at, &row.account_id, &row.key_space, &row.key)?,
            generation: Generation(row.generation),
            subject: at.present("subject", Subject::from_stored(&row.subject))?,
            payment_id: PaymentId(row.payment_id.0),
            fingerprint: Fingerprint {
                version: row.fingerprint_version,
                digest: row.fingerprint.into_owned().into(),
            },
            request_id: at.parsed("request_id", row.request_id.parse())?,
            fence: Fence(row.fence),
            opening_fence: Fence(row.opening_fence),
            state,
            open_until: row.open_until.map(|until| until.0),
            is_awaited: row.is_awaited,
            first_seen_at: row.first_seen_at.0,
            last_seen_at: row.last_seen_at.0,
        })
    }
}

/// Takes the answer out of the row.
fn record_state(row: &mut RecordRow<'_>, at: &Place) -> Result<RecordState, StoreError> {
    let due_at = || at.present("due_at", row.due_at).map(|due| due.0);
    Ok(match row.state.as_ref() {
        "running" => RecordState::Running { lease_until: due_at()? },
        "open" => RecordState::Open { due_at: due_at()? },
        "queued" => RecordState::Queued { due_at: due_at()? },
        "unknown" => RecordState::Unknown { due_at: due_at()? },
        "in_review" => RecordState::InReview,
        "settled" => RecordState::Settled(Settlement {
            answer: StoredAnswer {
                status: at.parsed(
                    "answer_status",
                    at.present("answer_status", row.answer_status)?.try_into(),
                )?,
                content_type: at
                    .present("answer_content_type", row.answer_content_type.take())?
                    .into_owned(),
                location: row.answer_location.take().map(Cow::into_owned),
                body: at.present("answer_body", row.answer_body.take())?.into_owned().into(),
            },
            settled_at: at.present("settled_at", row.settled_at)?.0,
            expires_at: at.present("expires_at", row.expires_at)?.0,
        }),
        "purged" => RecordState::Purged {
            settled_at: at.present("settled_at", row.settled_at)?.0,
            expired_at: at.present("expires_at", row.expires_at)?.0,
        },
        other => return Err(at.broken("state", format!("{other:?} is no state"))),
    })
}

impl<'a> From<&'a Payment> for PaymentRow<'a> {
    fn from(payment: &'a Payment) -> Self {
        let FinalState { status, gateway_reference, failure_code, decline_code, completed_at } =
            payment.into();
        let request = &payment.request;
        Self {
            account_id: payment.record.account.as_str().into(),
            id: SqlUuid(payment.id.0),
            key_space: payment.record.space.as_str().into(),
            key: payment.record.key.as_str().into(),
            generation: payment.generation.0,
            operation: request.operation.as_str().into(),
            status: status.into(),
            amount_minor: request.money.minor(),
            currency: request.money.currency().code().into(),
            payment_method: borrowed(request.payment_method.as_ref()),
            reference: borrowed(request.reference.as_ref()),
            description: borrowed(request.description.as_ref()),
            metadata: SqlJson(serde_json::json!(request.metadata.pairs())),
            gateway_kind: payment.gateway.kind.as_ref().into(),
            gateway_base_url: payment.gateway.base_url.as_ref().into(),
            gateway_account: payment.gateway.account.as_ref().into(),
            gateway_key: SqlUuid(payment.gateway_key.0),
            gateway_request: payment.gateway_request.as_slice().into(),
            gateway_reference: gateway_reference.map(Cow::from),
            attempts: payment.attempts.try_into().unwrap_or(i32::MAX),
            first_sent_at: payment.first_sent_at.map(SqlTime::truncated),
            void_intended_at: payment.void_intended_at.map(SqlTime::truncated),
            failure_code: failure_code.map(Cow::from),
            decline_code: decline_code.map(Cow::from),
            created_at: SqlTime::truncated(payment.created_at),
            completed_at,
            opening_fence: None,
        }
    }
}

impl PaymentRow<'_> {
    /// As the owner with this number opens it.
    pub fn opened_by(mut self, fence: Fence) -> Self {
        self.opening_fence = Some(fence.0);
        self
    }
}

impl<'a> From<&'a Payment> for FinalState<'a> {
    fn from(payment: &'a Payment) -> Self {
        let mut row = Self {
            status: payment.status().as_str(),
            gateway_reference: None,
            failure_code: None,
            decline_code: None,
            completed_at: None,
        };
        match &payment.state {
            PaymentState::Processing | PaymentState::NeedsReview => {}
            PaymentState::Completed { gateway_reference, at } => {
                row.gateway_reference = Some(gateway_reference);
                row.completed_at = Some(SqlTime::truncated(*at));
            }
            PaymentState::Failed { failure, gateway_reference, at } => {
                row.gateway_reference = gateway_reference.as_deref();
                row.failure_code = Some(failure.code());
                row.completed_at = Some(SqlTime::truncated(*at));
                if let Failure::Declined { code } = failure {
                    row.decline_code = code.as_deref();
                }
            }
        }
        row
    }
}

impl TryFrom<PaymentRow<'_>> for Payment {
    type Error = StoreError;

    fn try_from(row: PaymentRow<'_>) -> Result<Self, Self::Error> {
        let at = Place { table: "payment_states", id: row.id };
        let state = payment_state(&row, &at)?;
        let currency = at.parsed("currency", row.currency.parse())?;
        let pairs: BTreeMap<String, String> =
            at.parsed("metadata", serde_json::from_value(row.metadata.0))?;
        let request = PaymentRequest {
            operation: at.present("operation", Operation::from_stored(&row.operation))?,
            money: at.parsed("amount_minor", Money::from_minor(row.amount_minor, currency))?,
            payment_method: at.text("payment_method", row.payment_method)?,
            reference: at.text("reference", row.reference)?,
            description: at.text("description", row.description)?,
            metadata: at.parsed("metadata", Metadata::parse(pairs))?,
        };
        Ok(Self {
            id: PaymentId(row.id.0),
            record: record_id(&at, &row.account_id, &row.key_space, &row.key)?,
            generation: Generation(row.generation),
            request,
            gateway: GatewayIdentity {
                kind: row.gateway_kind.into(),
                base_url: row.gateway_base_url.into(),
                account: row.gateway_account.into(),
            },
            gateway_key: GatewayKey(row.gateway_key.0),
            gateway_request: row.gateway_request.into_owned(),
            attempts: at.parsed("attempts", row.attempts.try_into())?,
            first_sent_at: row.first_sent_at.map(|time| time.0),
            void_intended_at: row.void_intended_at.map(|time| time.0),
            created_at: row.created_at.0,
            state,
        })
    }
}

fn payment_state(row: &PaymentRow<'_>, at: &Place) -> Result<PaymentState, StoreError> {
    let completed_at = || at.present("completed_at", row.completed_at).map(|time| time.0);
    Ok(match at.present("status", PaymentStatus::from_name(&row.status))? {
        PaymentStatus::Processing => PaymentState::Processing,
        PaymentStatus::NeedsReview => PaymentState::NeedsReview,
        PaymentStatus::Completed => PaymentState::Completed {
            gateway_reference: at
                .present("gateway_reference", row.gateway_reference.as_deref())?
                .to_owned(),
            at: completed_at()?,
        },
        PaymentStatus::Failed => PaymentState::Failed {
            failure: match row.failure_code.as_deref() {
                Some("payment_declined") => {
                    Failure::Declined { code: row.decline_code.as_deref().map(str::to_owned) }
                }
                Some("gateway_error") => Failure::GatewayError,
                other => return Err(at.broken("failure_code", format!("{other:?} is no code"))),
            },
            gateway_reference: row.gateway_reference.as_deref().map(str::to_owned),
            at: completed_at()?,
        },
    })
}

/// Where a value stands, for naming what is broken.
pub(super) struct Place {
    pub(super) table: &'static str,
    pub(super) id: SqlUuid,
}

impl Place {
    pub(super) fn broken(&self, column: &str, source: impl Into<BoxedError>) -> StoreError {
        StoreError::inconsistent(
            format!("{}.{column} of payment {}", self.table, self.id.0),
            source,
        )
    }

    pub(super) fn present<T>(&self, column: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.broken(column, "the value is missing or unknown"))
    }

    fn parsed<T, E>(&self, column: &str, value: Result<T, E>) -> Result<T, StoreError>
    where
        E: Into<BoxedError>,
    {
        value.map_err(|error| self.broken(column, error))
    }

    fn text<const MIN: usize, const MAX: usize>(
        &self,
        column: &str,
        value: Option<Cow<'_, str>>,
    ) -> Result<Option<Text<MIN, MAX>>, StoreError> {
        value.map(|value| self.parsed(column, Text::parse(value))).transpose()
    }
}

fn borrowed<const MIN: usize, const MAX: usize>(
    text: Option<&Text<MIN, MAX>>,
) -> Option<Cow<'_, str>> {
    text.map(|text| text.as_str().into())
}

fn record_id(at: &Place, account: &str, space: &str, key: &str) -> Result<RecordId, StoreError> {
    Ok(RecordId {
        account: at.parsed("account_id", account.parse())?,
        space: at.present("key_space", KeySpace::from_stored(space))?,
        key: at.parsed("key", IdempotencyKey::from_body(key))?,
    })
}
