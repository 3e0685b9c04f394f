//! What other services announce to this one.

mod document;
mod receive;
pub(super) mod signatures;
pub(super) mod transaction_body;

use payonce_domain::account::AccountId;

pub use document::documents;
pub use receive::receive;
pub use signatures::WebhookSignatures;

/// Whose webhooks they are, and who may send them.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// The account that they belong to.
    pub account: AccountId,
    /// Proves their sender.
    pub signatures: WebhookSignatures,
}
