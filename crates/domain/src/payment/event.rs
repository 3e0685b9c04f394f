//! The timeline of a payment: one entry for each attempt and each change of state.

use time::OffsetDateTime;

use crate::idempotency::Fence;

/// Who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The request that opened the payment.
    Request,
    /// A later request with the same key.
    Retry,
    /// The recovery worker.
    Recovery,
    /// A person.
    Operator,
}

impl Actor {
    /// Everybody who may act.
    pub const ALL: [Self; 4] = [Self::Request, Self::Retry, Self::Recovery, Self::Operator];

    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Retry => "retry",
            Self::Recovery => "recovery",
            Self::Operator => "operator",
        }
    }

    /// Reads the stored name.
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|actor| actor.as_str() == name)
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Accepted.
    Created,
    /// A dead owner's work, or what was left for the client, was taken over.
    TakenOver,
    /// One send to the gateway and what it proved.
    Attempt,
    /// A look-up by key and what it proved.
    LookUp,
    /// A void was intended: from here on the payment can only be voided.
    VoidIntended,
    /// A void and what it proved.
    Void,
    /// Handed to the recovery worker with its outcome unknown.
    HandedOver,
    /// Left for its client's next try.
    LeftOpen,
    /// Became `COMPLETED`.
    Completed,
    /// Became `FAILED`.
    Failed,
    /// Became `NEEDS_REVIEW`.
    NeedsReview,
    /// An operator's word stands against what the gateway shows.
    Overridden,
}

impl EventKind {
    /// Everything that may happen.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::TakenOver,
        Self::Attempt,
        Self::LookUp,
        Self::VoidIntended,
        Self::Void,
        Self::HandedOver,
        Self::LeftOpen,
        Self::Completed,
        Self::Failed,
        Self::NeedsReview,
        Self::Overridden,
    ];

    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::TakenOver => "taken_over",
            Self::Attempt => "attempt",
            Self::LookUp => "look_up",
            Self::VoidIntended => "void_intended",
            Self::Void => "void",
            Self::HandedOver => "handed_over",
            Self::LeftOpen => "left_open",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::NeedsReview => "needs_review",
            Self::Overridden => "overridden",
        }
    }

    /// Reads the stored name.
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An entry before it is stored; the store adds the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The owner that wrote it.
    pub fence: Fence,
    /// Its place among that owner's entries.
    pub step: i32,
    /// Who acted.
    pub actor: Actor,
    /// What happened.
    pub kind: EventKind,
    /// Which attempt, where it is one.
    pub attempt: Option<u32>,
    /// What it proved, in a few words.
    pub detail: Option<String>,
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentEvent {
    /// The entry.
    pub event: NewEvent,
    /// When it was stored.
    pub at: OffsetDateTime,
}

/// Collects one owner's entries until its next transaction takes them along.
#[derive(Debug, Clone)]
pub struct Timeline {
    fence: Fence,
    actor: Actor,
    next_step: i32,
    unsaved: Vec<NewEvent>,
}

impl Timeline {
    /// The entry that opens a payment.
    pub fn opening(fence: Fence, actor: Actor, kind: EventKind) -> NewEvent {
        NewEvent { fence, step: 0, actor, kind, attempt: None, detail: None }
    }

    /// Continues behind the opening entry.
    pub fn after_opening(fence: Fence, actor: Actor) -> Self {
        Self { fence, actor, next_step: 1, unsaved: Vec::new() }
    }

    /// Adds an entry.
    pub fn add(&mut self, kind: EventKind, attempt: Option<u32>, detail: Option<String>) {
        let (fence, actor, step) = (self.fence, self.actor, self.next_step);
        self.unsaved.push(NewEvent { fence, step, actor, kind, attempt, detail });
        self.next_step = self.next_step.saturating_add(1);
    }

    /// The entries that no transaction has taken yet.
    pub fn take(&mut self) -> Vec<NewEvent> {
        std::mem::take(&mut self.unsaved)
    }
}
