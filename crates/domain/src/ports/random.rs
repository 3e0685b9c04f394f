//! Ids and chance.

use std::time::Duration;

use crate::payment::PaymentId;

/// Makes ids and draws lots.
pub trait Random: Send + Sync {
    /// A fresh UUID of version 7.
    fn payment_id(&self) -> PaymentId;

    /// Bytes that nobody can guess.
    fn secret(&self) -> [u8; 32];

    /// A duration between zero and `bound`, each as likely.
    fn up_to(&self, bound: Duration) -> Duration;
}
