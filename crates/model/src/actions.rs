//! Everything that can happen, and which process or message it happens to.

use crate::gateway::Choice;
use crate::state::{PaymentId, ProcessId};

/// Why a call of the gateway brought no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// None came in time.
    Timeout,
    /// It was a 5xx, or nothing that can be believed.
    ServerError,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A request finds an answer in the cache.
    ReadCache(ProcessId),
    /// A request opens the key.
    Open(ProcessId),
    /// A request inserts the key that it found absent a moment ago.
    InsertUnchecked(ProcessId),
    /// A worker takes the payment that is due.
    Take(ProcessId),
    /// The gateway answers a look-up.
    LookUp(ProcessId),
    /// A look-up brings nothing.
    LookUpFails(ProcessId),
    /// It is committed that a charge follows.
    Announce(ProcessId),
    /// The charge is sent, arrives and is answered.
    Charge(ProcessId, Choice),
    /// The charge is sent; there is no usable answer.
    ChargeFails(ProcessId, Fault),
    /// It is committed that a void follows.
    IntendVoid(ProcessId),
    /// The void is sent, arrives and is answered.
    Void(ProcessId, Choice),
    /// The void is sent; there is no usable answer.
    VoidFails(ProcessId, Fault),
    /// The verdict and the answer are stored.
    Settle(ProcessId),
    /// The answer is cached before it is stored.
    CacheEarly(ProcessId),
    /// The payment is left to recovery.
    HandOver(ProcessId),
    /// The payment is left to its client's next try.
    LeaveOpen(ProcessId),
    /// The policy limit is over: the payment is left to an operator.
    Review(ProcessId),
    /// The client gets the stored answer, which may be cached as well.
    Tell {
        /// The request.
        process: ProcessId,
        /// Whether the cache takes it.
        is_cached: bool,
    },
    /// A commit is made, and its outcome is not known to the process that made it.
    CommitInDoubt(ProcessId),
    /// A process dies.
    Crash(ProcessId),
    /// A process dies right after its message was sent.
    CrashAfterSend(ProcessId),
    /// The lease ends: its owner is dead, or paused for too long.
    LeaseEnds,
    /// The time for which a payment was left to its client is over.
    OpenEnds,
    /// A charge that was sent before arrives.
    LateCharge(u8, Choice),
    /// A void that was sent before arrives.
    LateVoid(u8, Choice),
    /// Our deduplication window of a payment is over.
    WindowEnds(PaymentId),
    /// The gateway no longer recognises charges under a key as repeats.
    GatewayForgets(u8),
    /// The cache is emptied.
    LoseCache,
    /// The stored answer is no longer replayed.
    Expire,
    /// The stored answer is removed.
    Purge,
    /// The record is removed.
    Forget,
}

impl Action {
    /// Whether it is the service's own progress, which neither luck, a client nor a late message
    /// has to bring about.
    pub fn is_progress(self, is_client_waiting: impl FnOnce(ProcessId) -> bool) -> bool {
        match self {
            // A client need not come, or come back.
            Self::ReadCache(process) | Self::Open(process) => !is_client_waiting(process),
            Self::InsertUnchecked(_)
            | Self::Take(_)
            | Self::LookUp(_)
            | Self::Announce(_)
            | Self::Charge(..)
            | Self::IntendVoid(_)
            | Self::Void(..)
            | Self::Settle(_)
            | Self::HandOver(_)
            | Self::LeaveOpen(_)
            | Self::OpenEnds
            | Self::Review(_)
            | Self::Tell { .. }
            | Self::LeaseEnds => true,
            Self::LookUpFails(_)
            | Self::ChargeFails(..)
            | Self::VoidFails(..)
            | Self::CacheEarly(_)
            | Self::CommitInDoubt(_)
            | Self::Crash(_)
            | Self::CrashAfterSend(_)
            | Self::LateCharge(..)
            | Self::LateVoid(..)
            | Self::WindowEnds(_)
            | Self::GatewayForgets(_)
            | Self::LoseCache
            | Self::Expire
            | Self::Purge
            | Self::Forget => false,
        }
    }
}
