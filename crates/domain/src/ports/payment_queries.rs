//! Reads payments for clients; decides nothing.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::RepositoryError;
use crate::account::AccountId;
use crate::idempotency::IdempotencyKey;
use crate::payment::{Payment, PaymentEvent, PaymentId, PaymentStatus, Reference};

/// The last payment of a page; the next page begins behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCursor {
    /// When that payment was created.
    pub created_at: OffsetDateTime,
    /// Its id.
    pub id: PaymentId,
}

/// Which payments of an account are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    /// In this state.
    pub status: Option<PaymentStatus>,
    /// With this reference.
    pub reference: Option<Reference>,
    /// Created under this header or body key.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Created then or later.
    pub created_from: Option<OffsetDateTime>,
    /// Created before then.
    pub created_to: Option<OffsetDateTime>,
}

/// Some payments, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentPage {
    /// The payments.
    pub payments: Vec<Payment>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<PageCursor>,
}

/// Payments as they are now. Another account's payment does not exist here.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PaymentQueries: Send + Sync {
    /// One payment.
    async fn find(
        &self,
        account: &AccountId,
        id: PaymentId,
    ) -> Result<Option<Payment>, RepositoryError>;

    /// Up to `limit` payments behind the cursor, newest first.
    async fn list(
        &self,
        account: &AccountId,
        filter: &PaymentFilter,
        after: Option<PageCursor>,
        limit: u32,
    ) -> Result<PaymentPage, RepositoryError>;

    /// The timeline of one payment, oldest first; `None` when there is no such payment.
    async fn events(
        &self,
        account: &AccountId,
        id: PaymentId,
    ) -> Result<Option<Vec<PaymentEvent>>, RepositoryError>;

    /// Fails unless the store answers and its schema is the one this build needs.
    async fn check(&self) -> Result<(), RepositoryError>;
}
