//! Hears what other instances did.

use std::sync::Arc;

use async_trait::async_trait;

use crate::payment::PaymentId;

/// Is told of a payment.
pub type Tell = Arc<dyn Fn(PaymentId) + Send + Sync>;

/// News of payments that somebody waits for, from every instance on the same store. A hint: news
/// may be lost, so that whoever waits asks the store from time to time all the same.
#[async_trait]
pub trait SettlementNews: Send + Sync {
    /// Tells of payments for as long as it is not dropped; returns when the store has no news to
    /// give.
    async fn listen(&self, tell: Tell);
}
