//! What the model remembers: the store, the gateway, the cache, the processes, and what clients
//! were told.
//!
//! Time is not a number here. What time does (a lease ends, a window closes, an answer expires)
//! is an event that may happen at any moment from which it is possible.

use crate::gateway::{Gateway, Verdict};

/// What a request asks for: the body that the fingerprint is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payload {
    /// The request whose repeats are under test.
    Usual,
    /// Something else under the same key.
    Other,
}

/// A final answer, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Whose answer it is.
    pub payload: Payload,
    /// For which use of the key.
    pub generation: u8,
    /// What it says.
    pub verdict: Verdict,
    /// The fence under which it was written: two owners never spell the same bytes.
    pub stamp: u8,
}

/// Names a payment: its place in [`State::payments`].
pub type PaymentId = u8;

/// Names a process: its place in [`State::processes`].
pub type ProcessId = u8;

/// What a key has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordState {
    /// Somebody works on it, or died.
    Running {
        /// Whether the lease still lasts, by the store's clock.
        lease_lasts: bool,
    },
    /// Left for its client's next try.
    Open,
    /// Accepted, for recovery to pay.
    Queued,
    /// The outcome is unknown; recovery finds out.
    Unknown,
    /// Unknown past the policy limit.
    InReview,
    /// Final.
    Settled {
        /// What is replayed.
        answer: Answer,
        /// Whether it is no longer replayed.
        is_expired: bool,
    },
    /// Final, and the stored answer is gone.
    Purged,
}

/// How long a payment is left for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenTime {
    /// Recovery only looks.
    Lasts,
    /// Recovery voids.
    Over,
}

/// The record of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Record {
    /// Which use of the key.
    pub generation: u8,
    /// The payment of this generation.
    pub payment: PaymentId,
    /// The fingerprint of the request that opened it.
    pub payload: Payload,
    /// The current owner's number.
    pub fence: u8,
    /// The number of whoever opened this generation.
    pub opening_fence: u8,
    /// Whether it was left for its client, who has not come back since.
    pub open: Option<OpenTime>,
    /// What it has come to.
    pub state: RecordState,
}

impl Record {
    /// Whether its answer is final and no longer replayed.
    pub fn is_expired(&self) -> bool {
        matches!(self.state, RecordState::Purged | RecordState::Settled { is_expired: true, .. })
    }

    /// Whether nobody can pay under it any more.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, RecordState::Purged | RecordState::Settled { .. })
    }
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Not final.
    Processing,
    /// Money moved.
    Completed,
    /// None moved and none will.
    Failed,
    /// Left to an operator by the policy limit.
    NeedsReview,
}

/// One intended movement of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payment {
    /// Which use of the key it belongs to.
    pub generation: u8,
    /// Who opened it: its id is that request's candidate.
    pub opened_by: ProcessId,
    /// What became of it.
    pub status: Status,
    /// Whether a committed transaction says that a charge may have been sent.
    pub is_announced: bool,
    /// Whether a void was ever intended: the one-way door.
    pub is_void_intended: bool,
    /// Whether so much time has passed since the first send that our deduplication window is over.
    pub is_window_over: bool,
}

impl Payment {
    /// Whether nothing more has to happen to it.
    pub fn is_resolved(&self) -> bool {
        self.status != Status::Processing
    }

    /// Whether an owner knows that charges are not sent any more: it counts from what was announced.
    pub fn is_past_window(&self) -> bool {
        self.is_announced && self.is_window_over
    }
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Handles one request of a client; a client's retry is another request.
    Request(Payload),
    /// Recovers payments, one after the other.
    Worker,
}

/// When a look-up is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookUp {
    /// Before anything is sent.
    First,
    /// When the attempts are used up.
    Last,
}

/// What a process does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A request not made yet, or a worker between two payments.
    Waiting,
    /// Insert the key that a plain read found absent (only where the unique claim is left out).
    Insert,
    /// Open the key again: the fence was lost, or the first open's commit is in doubt.
    Reopen,
    /// Ask the gateway what it knows.
    LookUp(LookUp),
    /// Commit under the fence that a charge is about to be sent.
    Announce {
        /// Which attempt of the round.
        attempt: u8,
    },
    /// Send the charge, and get its answer or none.
    Charge {
        /// Which attempt of the round.
        attempt: u8,
    },
    /// Commit under the fence that a void is about to be sent.
    IntendVoid,
    /// Send the void, and get its answer or none.
    Void,
    /// Store the verdict and the answer under the fence.
    Settle(Verdict),
    /// Leave the payment to recovery, or back to it.
    HandOver,
    /// Leave the payment to its client's next try.
    LeaveOpen,
    /// Give the client the answer that was just stored.
    Tell(Answer),
    /// The request is over, one way or another.
    Over,
}

/// The claim under which a process works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The payment.
    pub payment: PaymentId,
    /// The owner's number.
    pub fence: u8,
}

/// A request handler or a recovery worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    /// What it is.
    pub role: Role,
    /// What it does next.
    pub step: Step,
    /// What it believes to own.
    pub claim: Option<Claim>,
}

impl Process {
    /// Whether it is in the middle of something that a crash can interrupt.
    pub fn is_busy(&self) -> bool {
        !matches!(self.step, Step::Waiting | Step::Over)
    }

    /// Ends what it does: a request is over, a worker is free again.
    pub fn rest(&mut self) {
        self.claim = None;
        self.step = match self.role {
            Role::Request(_) => Step::Over,
            Role::Worker => Step::Waiting,
        };
    }
}

/// How often the surroundings may still misbehave; it makes the graph of states finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Crashes of a process.
    pub crashes: u8,
    /// Calls of the gateway that bring no usable answer.
    pub faults: u8,
    /// Leases that end although their owner lives: it was paused.
    pub pauses: u8,
    /// Losses of a filled cache.
    pub cache_losses: u8,
    /// Commits whose outcome is unknown to the process that made them.
    pub doubts: u8,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The key's row, or none.
    pub record: Option<Record>,
    /// The payments under the key; kept for good.
    pub payments: Vec<Payment>,
    /// The gateway and the messages on their way to it.
    pub gateway: Gateway,
    /// The cached answer.
    pub cache: Option<Answer>,
    /// Requests first, then workers.
    pub processes: Vec<Process>,
    /// The first final answer that a client was told, for each generation and payload.
    pub told: Vec<Answer>,
    /// Whether somebody was told another answer than the first.
    pub was_told_otherwise: bool,
    /// Whether a request was told another request's answer.
    pub was_leaked: bool,
    /// What may still go wrong.
    pub budget: Budget,
}

impl State {
    /// A process.
    pub fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(usize::from(id))
    }

    /// A process, to be changed.
    pub fn process_mut(&mut self, id: ProcessId) -> Option<&mut Process> {
        self.processes.get_mut(usize::from(id))
    }

    /// A payment.
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.get(usize::from(id))
    }

    /// A payment, to be changed.
    pub fn payment_mut(&mut self, id: PaymentId) -> Option<&mut Payment> {
        self.payments.get_mut(usize::from(id))
    }

    /// The claim and the payment of a process that owns one, or believes so.
    pub fn owned(&self, id: ProcessId) -> Option<(Claim, Payment)> {
        let claim = self.process(id)?.claim?;
        Some((claim, *self.payment(claim.payment)?))
    }

    /// Whether some living process works under the record's own fence.
    pub fn is_owner_alive(&self) -> bool {
        self.record.is_some_and(|record| {
            let current = Claim { payment: record.payment, fence: record.fence };
            self.processes.iter().any(|process| process.claim == Some(current))
        })
    }

    /// Gives a client a final answer, and remembers whether it contradicts an earlier one.
    pub fn tell(&mut self, payload: Payload, answer: Answer) {
        self.was_leaked |= answer.payload != payload;
        let first = self
            .told
            .iter()
            .find(|told| told.payload == answer.payload && told.generation == answer.generation);
        match first {
            Some(first) => self.was_told_otherwise |= *first != answer,
            None => self.told.push(answer),
        }
    }
}
