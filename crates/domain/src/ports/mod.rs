//! What the outside must provide. Each method is one atomic operation; no transaction crosses a
//! port.
//!
//! [`PaymentRepository`] carries the protocol (open, send, settle), [`IdempotencyRepository`]
//! reads keys, [`OpaqueRepository`] keeps keys of what moves no money, [`PaymentQueries`] serves
//! screens, [`BacklogQueries`] counts what is unsettled, [`PaymentGateway`] moves money,
//! [`ChargeLedger`] keeps a gateway's books, [`TransactionRepository`] is the queue of announced
//! transactions and [`TransactionProcessor`] what becomes of each, [`ApiKeyRepository`] knows who
//! may ask, [`Durability`] whether commits last, [`AnswerFormat`] spells final answers,
//! [`ReplayCache`] keeps those at hand, [`RateLimiter`] says who may ask now, [`Clock`] and
//! [`Random`] keep time and chance out of the rules.

mod answer_format;
mod api_key_repository;
mod backlog;
mod charge_ledger;
mod clock;
mod durability;
mod gateway;
mod idempotency_repository;
mod opaque_repository;
mod payment_queries;
mod payment_repository;
mod pinned_settings;
mod random;
mod rate_limiter;
mod replay_cache;
mod settlement_news;
mod transaction_processor;
mod transaction_repository;

pub use answer_format::AnswerFormat;
pub use api_key_repository::{ApiKeyRepository, NewApiKey};
pub use backlog::{Backlog, BacklogQueries, Unsettled, UnsettledState};
pub use charge_ledger::{ChargeContents, ChargeLedger, Entered, LedgerCharge, LedgerEntry};
pub use clock::Clock;
pub use durability::Durability;
pub use gateway::PaymentGateway;
pub use idempotency_repository::{IdempotencyRepository, KnownKey, Sweep, Swept};
pub use opaque_repository::{OpaqueRepository, OpaqueStored, StoreOpaque};
pub use payment_queries::{PageCursor, PaymentFilter, PaymentPage, PaymentQueries};
pub use payment_repository::{
    HandOver, HandOverTo, LeaseRenewal, OpenPayment, Opened, Owned, OwnedBy, PaymentRepository,
    Renewed, Settle, Settled, TakeDue, TakeReviewed,
};
pub use pinned_settings::PinnedSettings;
pub use random::Random;
pub use rate_limiter::{RateDecision, RateLimiter, RateQuota, RateSubject};
pub use replay_cache::{CachedAnswer, ReplayCache};
pub use settlement_news::{SettlementNews, Tell};
pub use transaction_processor::TransactionProcessor;
pub use transaction_repository::{
    AnnouncedTransaction, ConcludedTransaction, Ingested, TakenTransactions, TransactionBacklog,
    TransactionConflict, TransactionRepository,
};

#[cfg(any(test, feature = "testing"))]
pub use self::{
    answer_format::MockAnswerFormat, api_key_repository::MockApiKeyRepository,
    gateway::MockPaymentGateway, idempotency_repository::MockIdempotencyRepository,
    opaque_repository::MockOpaqueRepository, payment_queries::MockPaymentQueries,
    payment_repository::MockPaymentRepository, replay_cache::MockReplayCache,
    transaction_processor::MockTransactionProcessor,
    transaction_repository::MockTransactionRepository,
};

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// It cannot be reached, or not in time; whether the operation happened may be unknown. The
    /// same operation may be tried again: each is idempotent.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxedError),
    /// A stored row breaks a rule of the domain.
    #[error("{place} holds what no rule allows")]
    Inconsistent {
        /// `table.column`, and which row.
        place: String,
        /// Which rule.
        #[source]
        source: BoxedError,
    },
    /// The store refused the operation: a fault of this program.
    #[error("the store refused the operation")]
    Refused(#[source] BoxedError),
}

/// Any error, as a source.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;
