//! The transaction and its state machine.
//!
//! `waiting → running → processed | waiting | dead`, and `dead → waiting` by an operator. Clients
//! see `PROCESSING` until it is processed.

use std::time::Duration;

use time::OffsetDateTime;

use super::{TransactionContents, TransactionKey};
use crate::idempotency::{Fence, FenceLost};

/// Where a transaction is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionState {
    /// Nobody works on it.
    Waiting {
        /// When somebody may.
        due_at: OffsetDateTime,
    },
    /// Somebody works on it.
    Running {
        /// From then on somebody else may.
        lease_until: OffsetDateTime,
    },
    /// It was processed: nothing changes it any more.
    Processed {
        /// When that was written down.
        at: OffsetDateTime,
    },
    /// Every attempt failed: it is kept for an operator.
    Dead,
}

/// What one attempt at processing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionVerdict {
    /// It succeeded.
    Processed,
    /// It failed, and another attempt may succeed.
    RetryLater {
        /// How long nobody tries.
        after: Duration,
        /// What failed.
        reason: String,
    },
    /// It failed, and nobody tries any more.
    Dead {
        /// What failed.
        reason: String,
    },
}

/// A transaction, kept for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its name.
    pub key: TransactionKey,
    /// What it is about, as it was announced first.
    pub contents: TransactionContents,
    /// Counts those who took it; a write under an older number changes nothing.
    pub fence: Fence,
    /// Attempts begun since it was accepted or revived.
    pub attempts: u32,
    /// Where it is.
    pub state: TransactionState,
    /// What the last failed attempt said.
    pub last_failure: Option<String>,
    /// When it was announced first.
    pub created_at: OffsetDateTime,
}

impl Transaction {
    /// A transaction that is announced for the first time.
    pub fn accepted(
        key: TransactionKey,
        contents: TransactionContents,
        delay: Duration,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            key,
            contents,
            fence: Fence(0),
            attempts: 0,
            state: TransactionState::Waiting { due_at: now + delay },
            last_failure: None,
            created_at: now,
        }
    }

    /// When it was processed.
    pub fn processed_at(&self) -> Option<OffsetDateTime> {
        match self.state {
            TransactionState::Processed { at } => Some(at),
            _ => None,
        }
    }

    /// Takes it under the next number, if it is due or whoever had it is dead.
    pub fn take(&mut self, lease: Duration, now: OffsetDateTime) -> bool {
        let due_at = match self.state {
            TransactionState::Waiting { due_at } => due_at,
            TransactionState::Running { lease_until } => lease_until,
            TransactionState::Processed { .. } | TransactionState::Dead => return false,
        };
        if due_at > now {
            return false;
        }
        self.fence = self.fence.next();
        self.attempts = self.attempts.saturating_add(1);
        self.state = TransactionState::Running { lease_until: now + lease };
        true
    }

    /// Writes down what an attempt came to, if it still belongs to that number. What is written
    /// down already stays as it is.
    pub fn conclude(
        &mut self,
        fence: Fence,
        verdict: &TransactionVerdict,
        now: OffsetDateTime,
    ) -> Result<(), FenceLost> {
        if self.fence != fence {
            return Err(FenceLost);
        }
        if !matches!(self.state, TransactionState::Running { .. }) {
            return Ok(());
        }
        self.state = match verdict {
            TransactionVerdict::Processed => {
                TransactionState::Processed { at: now.max(self.created_at) }
            }
            TransactionVerdict::RetryLater { after, reason } => {
                self.last_failure = Some(reason.clone());
                TransactionState::Waiting { due_at: now + *after }
            }
            TransactionVerdict::Dead { reason } => {
                self.last_failure = Some(reason.clone());
                TransactionState::Dead
            }
        };
        Ok(())
    }

    /// Makes a dead one due again, with all its attempts before it.
    pub fn revive(&mut self, now: OffsetDateTime) -> bool {
        if self.state != TransactionState::Dead {
            return false;
        }
        self.attempts = 0;
        self.state = TransactionState::Waiting { due_at: now };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::use_cases::fixtures;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
    const LEASE: Duration = Duration::from_secs(20);
    const PAUSE: Duration = Duration::from_secs(4);

    fn due() -> Transaction {
        fixtures::transaction("t1", NOW)
    }

    fn verdicts() -> [TransactionVerdict; 3] {
        let reason = || "no answer".to_owned();
        [
            TransactionVerdict::Processed,
            TransactionVerdict::RetryLater { after: PAUSE, reason: reason() },
            TransactionVerdict::Dead { reason: reason() },
        ]
    }

    #[test]
    fn it_is_taken_when_it_is_due_and_by_the_next_when_the_lease_is_over() {
        let mut one = Transaction { state: TransactionState::Waiting { due_at: NOW }, ..due() };
        assert!(!one.take(LEASE, NOW - PAUSE), "too early");
        assert!(one.take(LEASE, NOW));
        assert_eq!((one.fence, one.attempts), (Fence(1), 1));
        assert!(!one.take(LEASE, NOW + LEASE - PAUSE), "somebody works on it");
        assert!(one.take(LEASE, NOW + LEASE));
        assert_eq!((one.fence, one.attempts), (Fence(2), 2));
    }

    #[test]
    fn each_verdict_leads_to_its_state_and_is_written_once() {
        for (verdict, state) in verdicts().into_iter().zip([
            TransactionState::Processed { at: NOW },
            TransactionState::Waiting { due_at: NOW + PAUSE },
            TransactionState::Dead,
        ]) {
            let mut one = due();
            assert!(one.take(LEASE, NOW));
            one.conclude(Fence(1), &verdict, NOW).expect("it is ours");
            assert_eq!(one.state, state);
            let written = one.clone();
            for again in verdicts() {
                one.conclude(Fence(1), &again, NOW + PAUSE).expect("it was ours");
                assert_eq!(one, written, "{again:?}");
            }
        }
    }

    #[test]
    fn who_was_replaced_changes_nothing() {
        for verdict in verdicts() {
            let mut one = due();
            assert!(one.take(LEASE, NOW) && one.take(LEASE, NOW + LEASE));
            let before = one.clone();
            assert_eq!(one.conclude(Fence(1), &verdict, NOW), Err(FenceLost));
            assert_eq!(one, before);
        }
    }

    #[test]
    fn what_is_processed_or_dead_is_never_taken_and_only_the_dead_are_revived() {
        let mut processed = due();
        assert!(processed.take(LEASE, NOW));
        assert!(!processed.revive(NOW), "it runs");
        processed.conclude(Fence(1), &TransactionVerdict::Processed, NOW).expect("it is ours");
        assert!(!processed.take(LEASE, NOW + LEASE));
        assert!(!processed.revive(NOW));
        assert_eq!(processed.processed_at(), Some(NOW));

        let mut dead = due();
        assert!(dead.take(LEASE, NOW));
        let reason = "no answer".to_owned();
        dead.conclude(Fence(1), &TransactionVerdict::Dead { reason }, NOW).expect("it is ours");
        assert!(!dead.take(LEASE, NOW + LEASE));
        assert!(dead.revive(NOW));
        assert_eq!(dead.attempts, 0);
        assert!(dead.take(LEASE, NOW));
        assert_eq!(dead.fence, Fence(2));
    }
}
