//! Measures and traces each call of a gateway, whichever gateway it is.
//!
//! A call that is dropped at its timeout counts like any other, as `timeout`. Keys and requests
//! are neither measured nor traced.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use metrics::{describe_histogram, histogram};
use payonce_domain::gateway::{
    ChargeOutcome, GatewayIdentity, GatewayKey, LookUpOutcome, VoidOutcome,
};
use payonce_domain::payment::{PaymentId, PaymentRequest};
use payonce_domain::ports::PaymentGateway;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::measurements::{Durations, Measurements};

const DURATION: &str = "payonce_gateway_call_duration_seconds";

/// A gateway whose calls are measured.
pub struct MeasuredGateway {
    gateway: Arc<dyn PaymentGateway>,
    kind: Arc<str>,
    durations: Durations,
}

impl MeasuredGateway {
    /// Measures the calls of a gateway.
    pub fn new(gateway: Arc<dyn PaymentGateway>, measurements: Measurements) -> Self {
        measurements.record(|| {
            describe_histogram!(
                DURATION,
                "How long a call of the gateway took, by what it proved."
            );
        });
        let kind = gateway.identity().kind;
        let by_kind = Arc::clone(&kind);
        let durations = Durations::new(measurements, move |(call, outcome)| {
            let gateway = by_kind.to_string();
            histogram!(DURATION, "gateway" => gateway, "call" => call, "outcome" => outcome)
        });
        Self { gateway, kind, durations }
    }

    fn begin(&self, call: &'static str, span: Span) -> Call<'_> {
        span.record("gateway", &*self.kind);
        Call { of: self, call, span, began: Instant::now(), outcome: "timeout" }
    }
}

/// One call under way.
struct Call<'a> {
    of: &'a MeasuredGateway,
    call: &'static str,
    span: Span,
    began: Instant,
    outcome: &'static str,
}

impl Call<'_> {
    async fn run<T>(
        mut self,
        call: impl Future<Output = T>,
        outcome: impl FnOnce(&T) -> &'static str,
    ) -> T {
        let proved = call.instrument(self.span.clone()).await;
        self.outcome = outcome(&proved);
        proved
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let Self { call, outcome, .. } = *self;
        self.span.record("outcome", outcome);
        self.of.durations.record((call, outcome), self.began.elapsed());
    }
}

#[async_trait]
impl PaymentGateway for MeasuredGateway {
    fn identity(&self) -> GatewayIdentity {
        self.gateway.identity()
    }

    fn is_available(&self) -> bool {
        self.gateway.is_available()
    }

    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        self.gateway.charge_request(id, request)
    }

    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome {
        let span = info_span!("charge", otel.kind = "client", gateway = Empty, outcome = Empty);
        let call = self.begin("charge", span);
        call.run(self.gateway.charge(key, request), |outcome| match outcome {
            ChargeOutcome::Approved(_) => "approved",
            ChargeOutcome::Declined(_) => "declined",
            ChargeOutcome::Voided => "voided",
            ChargeOutcome::Unreachable { .. } => "unreachable",
            ChargeOutcome::NotExecuted { .. } => "not_executed",
            ChargeOutcome::Unknown { .. } => "unknown",
        })
        .await
    }

    async fn look_up(&self, key: GatewayKey, request: &[u8]) -> LookUpOutcome {
        let span = info_span!("look_up", otel.kind = "client", gateway = Empty, outcome = Empty);
        let call = self.begin("look_up", span);
        call.run(self.gateway.look_up(key, request), |outcome| match outcome {
            LookUpOutcome::Approved(_) => "approved",
            LookUpOutcome::Declined(_) => "declined",
            LookUpOutcome::Voided => "voided",
            LookUpOutcome::Unseen { .. } => "unseen",
            LookUpOutcome::Nothing { .. } => "nothing",
        })
        .await
    }

    async fn void(&self, key: GatewayKey, request: &[u8]) -> VoidOutcome {
        let span = info_span!("void", otel.kind = "client", gateway = Empty, outcome = Empty);
        let call = self.begin("void", span);
        call.run(self.gateway.void(key, request), |outcome| match outcome {
            VoidOutcome::Voided => "voided",
            VoidOutcome::Declined(_) => "declined",
            VoidOutcome::Settled(_) => "approved",
            VoidOutcome::Nothing { .. } => "nothing",
        })
        .await
    }
}
