//! One call to the gateway, bounded in time and noted in the timeline.

use tokio::time::timeout;

use super::Round;
use crate::failpoints::reach;
use crate::gateway::{ChargeOutcome, GatewayKey, LookUpOutcome, VoidOutcome};
use crate::idempotency::Fence;
use crate::payment::{EventKind, Verdict};
use crate::sabotage::{Rule, is_broken};

/// Whether a charge of this round got through to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Untried,
    Nothing,
    Something,
}

impl Round<'_> {
    pub(super) async fn charge(&mut self) -> ChargeOutcome {
        let gateway = &self.pay.gateway;
        let key = match is_broken(Rule::GatewayKey) {
            true => GatewayKey(self.pay.random.payment_id().0),
            false => self.payment.gateway_key,
        };
        let call = gateway.charge(key, &self.payment.gateway_request);
        reach("before_send");
        let outcome = timeout(self.call_limit(), call)
            .await
            .unwrap_or_else(|_| ChargeOutcome::Unknown { reason: "timeout".to_owned() });
        reach(if self.fence > Fence::FIRST { "recovery_resent" } else { "after_response" });
        let proved = match &outcome {
            ChargeOutcome::Approved(_) => "approved".to_owned(),
            ChargeOutcome::Declined(_) => "declined".to_owned(),
            ChargeOutcome::Voided => "voided".to_owned(),
            ChargeOutcome::Unreachable { reason } => format!("not reached: {reason}"),
            ChargeOutcome::NotExecuted { reason, .. } => format!("not executed: {reason}"),
            ChargeOutcome::Unknown { reason } => format!("unknown: {reason}"),
        };
        self.reach = match (&outcome, self.reach) {
            (ChargeOutcome::Unreachable { .. }, Reach::Untried) => Reach::Nothing,
            (ChargeOutcome::Unreachable { .. }, reach) => reach,
            _ => Reach::Something,
        };
        self.timeline.add(EventKind::Attempt, Some(self.payment.attempts), Some(proved));
        outcome
    }

    pub(super) async fn look_up(&mut self) -> Option<Verdict> {
        let gateway = &self.pay.gateway;
        let call = gateway.look_up(self.payment.gateway_key, &self.payment.gateway_request);
        let outcome = timeout(self.call_limit(), call)
            .await
            .unwrap_or_else(|_| LookUpOutcome::Nothing { reason: "timeout".to_owned() });
        let (proved, verdict) = match outcome {
            LookUpOutcome::Approved(charge) => {
                ("approved".to_owned(), Some(Verdict::Completed(charge)))
            }
            LookUpOutcome::Declined(decline) => {
                ("declined".to_owned(), Some(Verdict::Declined(decline)))
            }
            LookUpOutcome::Voided => ("voided".to_owned(), Some(Verdict::Voided)),
            LookUpOutcome::Unseen { reason } | LookUpOutcome::Nothing { reason } => {
                (format!("nothing: {reason}"), None)
            }
        };
        self.timeline.add(EventKind::LookUp, None, Some(proved));
        verdict
    }

    pub(super) async fn send_void(&mut self) -> VoidOutcome {
        let gateway = &self.pay.gateway;
        let call = gateway.void(self.payment.gateway_key, &self.payment.gateway_request);
        let outcome = timeout(self.call_limit(), call)
            .await
            .unwrap_or_else(|_| VoidOutcome::Nothing { reason: "timeout".to_owned() });
        reach("after_void");
        let proved = match &outcome {
            VoidOutcome::Voided => "voided".to_owned(),
            VoidOutcome::Declined(_) => "declined before".to_owned(),
            VoidOutcome::Settled(_) => "approved before".to_owned(),
            VoidOutcome::Nothing { reason } => format!("nothing: {reason}"),
        };
        self.timeline.add(EventKind::Void, None, Some(proved));
        outcome
    }
}
