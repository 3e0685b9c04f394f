//! The transaction of operations that move no money: answered once, then replayed.

use std::time::Duration;

use payonce_domain::idempotency::{Claim, ClaimTerms, IdempotencyRecord, SettledAnswer, Subject};
use payonce_domain::ports::{OpaqueStored, StoreOpaque};
use time::OffsetDateTime;

use super::error::StoreError;
use super::rows::RecordRow;
use super::statements::Statements;
use super::values::SqlTime;

/// Stores an operation that moves no money with its answer, or tells what its key stands for.
pub fn store_opaque(
    store: &mut impl Statements,
    call: &StoreOpaque,
) -> Result<OpaqueStored, StoreError> {
    // A sweep may forget the record between the two statements; then the key is free again.
    loop {
        let now = store.now()?;
        let first = call.record(now);
        if store.insert_record_if_absent(&RecordRow::from(&first))? {
            return Ok(OpaqueStored::First(stored_answer(call, &first, now)));
        }
        let Some(row) = store.lock_record(&call.record)? else {
            continue;
        };
        let mut record = IdempotencyRecord::try_from(row)?;
        let before = record.clone();
        let now = store.now()?;
        let terms = ClaimTerms {
            fingerprint: &call.fingerprint,
            subject: Subject::Opaque,
            candidate: call.candidate,
            request_id: &call.request_id,
            lease: Duration::ZERO,
            after_expiry: call.after_expiry,
            may_take_over: false,
        };
        let claim = record.claim_again(&terms, now);
        if claim == Claim::NextGeneration {
            record.state = call.settled(now);
        }
        if record != before {
            store.save_record(&RecordRow::from(&record))?;
        }
        return Ok(match claim {
            Claim::NextGeneration => OpaqueStored::First(stored_answer(call, &record, now)),
            // Its first answer was lost with the connection.
            Claim::Replay(answer) if record.payment_id == call.candidate => {
                OpaqueStored::First(answer)
            }
            Claim::Replay(answer) => OpaqueStored::Replay(answer),
            Claim::Expired => OpaqueStored::Expired,
            Claim::UnknownFingerprintVersion => OpaqueStored::UnknownFingerprintVersion,
            // A record that is not settled is a payment's, and has another fingerprint.
            Claim::Mismatch
            | Claim::AlreadyOurs
            | Claim::TakenOver
            | Claim::InUse { .. }
            | Claim::Pending => OpaqueStored::Mismatch,
        });
    }
}

fn stored_answer(
    call: &StoreOpaque,
    record: &IdempotencyRecord,
    now: OffsetDateTime,
) -> SettledAnswer {
    let expires_at = now + record.id.space.retention(call.retention);
    SettledAnswer {
        answer: call.answer.clone(),
        expires_at: SqlTime::truncated(expires_at).0,
        told_at: now,
        request_id: record.request_id.clone(),
    }
}
