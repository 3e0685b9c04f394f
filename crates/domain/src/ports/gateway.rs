//! Moves money.

use async_trait::async_trait;

use crate::gateway::{ChargeOutcome, GatewayIdentity, GatewayKey, LookUpOutcome, VoidOutcome};
use crate::payment::{PaymentId, PaymentRequest};

/// A payment gateway that deduplicates by key, and can be asked and voided by key.
///
/// No method fails: whatever is not understood is unknown. A call may be dropped at its timeout,
/// which makes its outcome unknown too.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// Which gateway this is.
    fn identity(&self) -> GatewayIdentity;

    /// False while a call would be held back: no payment should begin that need not.
    fn is_available(&self) -> bool;

    /// The bytes of a charge request: built once, stored, and sent unchanged on every attempt.
    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8>;

    /// Sends a charge.
    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome;

    /// Asks for the charge of a key. `request` is what was sent, to recognise the charge by.
    async fn look_up(&self, key: GatewayKey, request: &[u8]) -> LookUpOutcome;

    /// Burns a key, so that no charge can follow. `request` is what was sent, to recognise a
    /// charge by that came first.
    async fn void(&self, key: GatewayKey, request: &[u8]) -> VoidOutcome;
}
