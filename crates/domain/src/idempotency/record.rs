//! The record of a key, and the rules by which a locked record decides.
//!
//! Pure: the adapter loads a record under its row lock, asks here, and saves. Time comes in as
//! the store's own clock.

use std::mem::discriminant;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Fingerprint, RecordId, SettledAnswer, StoredAnswer};
use crate::account::RequestId;
use crate::payment::PaymentId;
use crate::sabotage::{Rule, is_broken};

/// How closely it is noted when a key was seen last.
const SEEN_WITHIN: time::Duration = time::Duration::minutes(10);

/// Counts the owners of a record; a write under an older number changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub i64);

impl Fence {
    /// The number of whoever inserted the record.
    pub const FIRST: Self = Self(1);

    /// The number of the next owner.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Counts how often an expired key was reused for a new request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub i32);

impl Generation {
    /// The first request under a key.
    pub const FIRST: Self = Self(1);

    /// The request after an expiry.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What an expired key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterExpiry {
    /// It is refused: an expired key never silently pays again.
    Refuse,
    /// It names a new request.
    Reuse,
}

/// What a key has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordState {
    /// Somebody works on it while the lease lasts; after it, the owner counts as dead.
    Running {
        /// End of the lease.
        lease_until: OffsetDateTime,
    },
    /// Unsettled and left for its client's next try.
    Open {
        /// When recovery looks for its outcome next.
        due_at: OffsetDateTime,
    },
    /// Accepted, for the recovery worker to pay.
    Queued {
        /// When it is due.
        due_at: OffsetDateTime,
    },
    /// The gateway's outcome is unknown; the recovery worker finds out.
    Unknown {
        /// When it is looked at next.
        due_at: OffsetDateTime,
    },
    /// Unknown past the policy limit; an operator decides.
    InReview,
    /// Final.
    Settled(Settlement),
    /// Final, and its stored answer is gone; the key is only remembered.
    Purged {
        /// When the answer was stored.
        settled_at: OffsetDateTime,
        /// When it stopped being replayed.
        expired_at: OffsetDateTime,
    },
}

/// What a record stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A payment.
    Payment,
    /// An operation that moves no money and is done once it is stored.
    Opaque,
}

impl Subject {
    /// The name as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Opaque => "opaque",
        }
    }

    /// Reads the stored name.
    pub fn from_stored(name: &str) -> Option<Self> {
        [Self::Payment, Self::Opaque].into_iter().find(|subject| subject.as_str() == name)
    }
}

/// A final answer and how long it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// What is replayed.
    pub answer: StoredAnswer,
    /// When it was stored.
    pub settled_at: OffsetDateTime,
    /// When it stops being replayed.
    pub expires_at: OffsetDateTime,
}

impl Settlement {
    /// Of now, to be replayed for this long.
    pub fn new(answer: StoredAnswer, retention: Duration, now: OffsetDateTime) -> Self {
        Self { answer, settled_at: now, expires_at: now + retention }
    }

    /// What a repeat is told now; `request_id` opened the record.
    pub fn told(self, request_id: RequestId, now: OffsetDateTime) -> SettledAnswer {
        SettledAnswer { answer: self.answer, expires_at: self.expires_at, told_at: now, request_id }
    }
}

/// Remembers one key of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Account, key space and key.
    pub id: RecordId,
    /// Which use of the key.
    pub generation: Generation,
    /// What this generation stands for.
    pub subject: Subject,
    /// The payment of this generation; an id that no payment has where it stands for none.
    pub payment_id: PaymentId,
    /// What the first request asked for.
    pub fingerprint: Fingerprint,
    /// The first request.
    pub request_id: RequestId,
    /// The current owner's number.
    pub fence: Fence,
    /// The number of whoever opened this generation.
    pub opening_fence: Fence,
    /// What it has come to.
    pub state: RecordState,
    /// Until when it is left for its client, once it was: recovery only looks before then.
    pub open_until: Option<OffsetDateTime>,
    /// Whether somebody waits for its owner: then a settle is announced to other instances.
    pub is_awaited: bool,
    /// When the key was first seen.
    pub first_seen_at: OffsetDateTime,
    /// When the key was last seen.
    pub last_seen_at: OffsetDateTime,
}

/// What a request brings to a record that is already there.
#[derive(Debug, Clone)]
pub struct ClaimTerms<'a> {
    /// What is asked for now.
    pub fingerprint: &'a Fingerprint,
    /// What the request would open.
    pub subject: Subject,
    /// The id that the request's own payment would have.
    pub candidate: PaymentId,
    /// The request.
    pub request_id: &'a RequestId,
    /// How long an owner may work without a sign of life.
    pub lease: Duration,
    /// What an expired key does.
    pub after_expiry: AfterExpiry,
    /// Whether this instance may work on the record's payment: false when another gateway has it.
    pub may_take_over: bool,
}

/// What a locked record decides about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This very request owns it already: its first answer was lost with the connection.
    AlreadyOurs,
    /// The owner is dead, or left it to its client: the same payment, the next fence.
    TakenOver,
    /// The key expired and is reused: a new payment, the next generation and fence.
    NextGeneration,
    /// The stored answer.
    Replay(SettledAnswer),
    /// Another request under the same key.
    Mismatch,
    /// Somebody works on it.
    InUse {
        /// What is left of the lease.
        lease_left: Duration,
    },
    /// Nobody works on it now, and it is not this request's to take: queued, unknown, in review.
    Pending,
    /// Final, and not replayed any more.
    Expired,
    /// Its fingerprint was made by a rule that this build does not know.
    UnknownFingerprintVersion,
}

/// A settled record as it is read without its lock: a settled record does not change before it
/// expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAnswer {
    /// What the first request asked for.
    pub fingerprint: Fingerprint,
    /// When the key was last seen.
    pub last_seen_at: OffsetDateTime,
    /// The answer, told by the store's clock as it is read.
    pub answer: SettledAnswer,
}

impl FoundAnswer {
    /// The answer, where a request with that fingerprint gets it and nothing is to be written for it:
    /// what [`IdempotencyRecord::claim_again`] decides then.
    pub fn replay(self, fingerprint: &Fingerprint) -> Option<SettledAnswer> {
        let Self { fingerprint: first, last_seen_at, answer } = self;
        let is_noted = answer.told_at - last_seen_at < SEEN_WITHIN;
        let is_live = answer.told_at < answer.expires_at;
        (first == *fingerprint && is_noted && is_live).then_some(answer)
    }
}

/// Another owner has taken over; whatever it made of the record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another owner has taken over")]
pub struct FenceLost;

impl IdempotencyRecord {
    /// The answer of a settled record, read at this time; [`FoundAnswer::replay`] says who gets it.
    pub fn answer(self, now: OffsetDateTime) -> Option<FoundAnswer> {
        let RecordState::Settled(settlement) = self.state else { return None };
        Some(FoundAnswer {
            fingerprint: self.fingerprint,
            last_seen_at: self.last_seen_at,
            answer: settlement.told(self.request_id, now),
        })
    }

    /// Decides about a further request, in this order: settled and expired, other fingerprint,
    /// settled, lease alive, lease dead or left open, pending. Changes itself when it is taken.
    pub fn claim_again(&mut self, terms: &ClaimTerms<'_>, now: OffsetDateTime) -> Claim {
        self.see(now);
        if self.is_expired(now) {
            return match terms.after_expiry {
                AfterExpiry::Refuse => Claim::Expired,
                AfterExpiry::Reuse => self.reuse(terms, now),
            };
        }
        if !self.fingerprint.is_comparable() {
            return Claim::UnknownFingerprintVersion;
        }
        if self.fingerprint != *terms.fingerprint {
            return Claim::Mismatch;
        }
        match &self.state {
            RecordState::Settled(settlement) => {
                Claim::Replay(settlement.clone().told(self.request_id.clone(), now))
            }
            RecordState::Running { .. } if self.is_own_opening(terms) => {
                self.take_lease(terms.lease, now);
                Claim::AlreadyOurs
            }
            RecordState::Running { lease_until } if *lease_until > now => {
                self.is_awaited = true;
                Claim::InUse { lease_left: (*lease_until - now).try_into().unwrap_or_default() }
            }
            RecordState::Running { .. } | RecordState::Open { .. } if terms.may_take_over => {
                self.fence = self.fence.next();
                self.open_until = None;
                self.take_lease(terms.lease, now);
                Claim::TakenOver
            }
            RecordState::Running { .. }
            | RecordState::Open { .. }
            | RecordState::Queued { .. }
            | RecordState::Unknown { .. }
            | RecordState::InReview
            | RecordState::Purged { .. } => Claim::Pending,
        }
    }

    /// Takes an unsettled record that is due, for the recovery worker; false when it is not.
    pub fn take_due(&mut self, lease: Duration, now: OffsetDateTime) -> bool {
        let due_at = match &self.state {
            RecordState::Running { lease_until: due_at }
            | RecordState::Open { due_at }
            | RecordState::Queued { due_at }
            | RecordState::Unknown { due_at } => *due_at,
            RecordState::InReview | RecordState::Settled(_) | RecordState::Purged { .. } => {
                return false;
            }
        };
        if due_at > now {
            return false;
        }
        self.fence = self.fence.next();
        self.take_lease(lease, now);
        true
    }

    /// Takes a record that is in review, for an operator; false when it is not.
    pub fn take_in_review(&mut self, lease: Duration, now: OffsetDateTime) -> bool {
        if self.state != RecordState::InReview {
            return false;
        }
        self.fence = self.fence.next();
        self.take_lease(lease, now);
        true
    }

    /// Whether its answer is final and no longer replayed, by the stored time.
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        match &self.state {
            RecordState::Settled(settlement) => settlement.expires_at <= now,
            RecordState::Purged { .. } => true,
            RecordState::Running { .. }
            | RecordState::Open { .. }
            | RecordState::Queued { .. }
            | RecordState::Unknown { .. }
            | RecordState::InReview => false,
        }
    }

    /// Renews the lease before a send.
    pub fn renew(
        &mut self,
        fence: Fence,
        lease: Duration,
        now: OffsetDateTime,
    ) -> Result<(), FenceLost> {
        self.check_owner(fence)?;
        self.take_lease(lease, now);
        Ok(())
    }

    /// Gives the record up unsettled. Doing so again under the same fence changes nothing.
    pub fn hand_over(&mut self, fence: Fence, to: RecordState) -> Result<(), FenceLost> {
        if self.fence == fence && discriminant(&self.state) == discriminant(&to) {
            return Ok(());
        }
        self.check_owner(fence)?;
        self.state = to;
        Ok(())
    }

    /// Gives the record up for its client's next try, until then at most; an earlier end stays.
    pub fn leave_open(
        &mut self,
        fence: Fence,
        due_at: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<(), FenceLost> {
        self.hand_over(fence, RecordState::Open { due_at })?;
        self.open_until.get_or_insert(until);
        Ok(())
    }

    /// Stores the final answer. Settling again under the same fence changes nothing and returns
    /// what was stored: the first commit's outcome may have been lost.
    pub fn settle(
        &mut self,
        fence: Fence,
        answer: StoredAnswer,
        retention: Duration,
        now: OffsetDateTime,
    ) -> Result<SettledAnswer, FenceLost> {
        let settlement = match &self.state {
            RecordState::Settled(settlement) if self.fence == fence => settlement.clone(),
            _ => {
                self.check_owner(fence)?;
                Settlement::new(answer, retention, now)
            }
        };
        self.state = RecordState::Settled(settlement.clone());
        Ok(settlement.told(self.request_id.clone(), now))
    }

    /// Notes that the key was seen, to ten minutes: a replay is not worth a write.
    fn see(&mut self, now: OffsetDateTime) {
        if now - self.last_seen_at >= SEEN_WITHIN {
            self.last_seen_at = now;
        }
    }

    fn check_owner(&self, fence: Fence) -> Result<(), FenceLost> {
        match self.state {
            RecordState::Running { .. } if self.fence == fence => Ok(()),
            _ if is_broken(Rule::Fence) => Ok(()),
            _ => Err(FenceLost),
        }
    }

    fn is_own_opening(&self, terms: &ClaimTerms<'_>) -> bool {
        self.payment_id == terms.candidate && self.fence == self.opening_fence
    }

    fn take_lease(&mut self, lease: Duration, now: OffsetDateTime) {
        self.state = RecordState::Running { lease_until: now + lease };
    }

    fn reuse(&mut self, terms: &ClaimTerms<'_>, now: OffsetDateTime) -> Claim {
        self.generation = self.generation.next();
        self.subject = terms.subject;
        self.open_until = None;
        self.payment_id = terms.candidate;
        self.fingerprint = terms.fingerprint.clone();
        self.request_id = terms.request_id.clone();
        self.is_awaited = false;
        self.fence = self.fence.next();
        self.opening_fence = self.fence;
        self.take_lease(terms.lease, now);
        Claim::NextGeneration
    }
}

#[cfg(test)]
mod tests;
