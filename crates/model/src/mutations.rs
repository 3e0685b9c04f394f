//! Rules of the protocol that can be switched off, one at a time, to see that the checker notices.

use clap::ValueEnum;

/// One rule switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Mutation {
    /// A settle does not check the fence.
    SettleWithoutFence,
    /// A re-send follows no announcement, and so no lease that is measured from one.
    UnannouncedResend,
    /// No transaction says that a charge is about to be sent, opening included.
    NoAnnouncement,
    /// Every owner sends a gateway key of its own.
    FreshGatewayKey,
    /// A charge that times out counts as failed.
    TimeoutMeansFailed,
    /// A look-up that finds nothing counts as failed.
    NotFoundMeansFailed,
    /// The intention to void is not committed before the void.
    UncommittedVoidIntention,
    /// A payment with a void intention is charged again.
    ResendAfterVoidIntention,
    /// A payment with a void intention is looked up, and "approved" is believed.
    LookUpAfterVoidIntention,
    /// The sweep takes unsettled records, too.
    SweepOfUnsettled,
    /// The answer is cached before it is committed.
    CacheBeforeCommit,
    /// A cached answer is given to whoever names the key.
    CacheWithoutFingerprint,
    /// The key is read first and inserted later, with no unique constraint.
    CheckThenInsert,
    /// A key whose outcome is unknown is deleted, so that the client may try again.
    DeleteKeyOnUnknown,
    /// Charges are sent again after the deduplication window.
    ResendOutsideWindow,
    /// The window is checked when a round begins and not before each send.
    WindowCheckedOncePerRound,
    /// An expired key is a new request although the policy refuses it.
    ExpiredKeyPaysAgain,
    /// A 5xx answer proves that the charge was not executed.
    ServerErrorMeansNotExecuted,
    /// A void that is not confirmed counts as done.
    UnconfirmedVoidMeansFailed,
    /// Whoever takes a payment over keeps the fence number.
    TakeOverKeepsFence,
    /// The client is told before the commit.
    AnswerBeforeCommit,
    /// A replay is spelled anew instead of read from the store.
    ReplaySpelledAnew,
    /// A worker does not look at records that were left for their clients.
    OpenIsForgotten,
    /// A worker does not look at records that were handed over as unknown.
    UnknownIsForgotten,
}
