//! A circuit breaker around any gateway: while a gateway is dead, callers learn it at once.
//!
//! Closed, it counts failures in a row. Open, it lets nothing through. After a while it lets one
//! call through to see, and closes or opens again by its outcome. It proves nothing about a
//! payment: a call that it holds back did nothing, earlier ones may have.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use payonce_domain::gateway::{
    ChargeOutcome, GatewayIdentity, GatewayKey, LookUpOutcome, VoidOutcome,
};
use payonce_domain::payment::{PaymentId, PaymentRequest};
use payonce_domain::ports::PaymentGateway;
use tokio::time::Instant;

/// Why a call was held back, for the timeline.
const HELD_BACK: &str = "the circuit to the gateway is open";

/// When the breaker opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// Opens after so many failures in a row.
    pub failures: u32,
    /// Lets a call through again after this long.
    pub pause: Duration,
}

/// A gateway behind a breaker.
pub struct BreakerGateway {
    gateway: Arc<dyn PaymentGateway>,
    settings: BreakerSettings,
    circuit: Mutex<Circuit>,
}

/// What a breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Lets it through.
    Closed,
    /// Holds it back.
    Open,
    /// Lets one through to see.
    HalfOpen,
}

impl CircuitState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The name under which it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Circuit {
    Closed { failures: u32 },
    Open { until: Instant },
    Trying,
}

impl BreakerGateway {
    /// Puts a breaker around a gateway.
    pub fn new(gateway: Arc<dyn PaymentGateway>, settings: BreakerSettings) -> Self {
        Self { gateway, settings, circuit: Mutex::new(Circuit::Closed { failures: 0 }) }
    }

    /// What it does with the next call.
    pub fn state(&self) -> CircuitState {
        match *self.circuit() {
            Circuit::Closed { .. } => CircuitState::Closed,
            Circuit::Open { until } if Instant::now() < until => CircuitState::Open,
            Circuit::Open { .. } | Circuit::Trying => CircuitState::HalfOpen,
        }
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call through, or holds it back (`None`).
    fn admit(&self) -> Option<Call<'_>> {
        let mut circuit = self.circuit();
        match *circuit {
            Circuit::Closed { .. } => {}
            Circuit::Open { until } if Instant::now() >= until => *circuit = Circuit::Trying,
            Circuit::Open { .. } | Circuit::Trying => return None,
        }
        Some(Call { breaker: self, health: Health::Bad })
    }

    fn note(&self, health: Health) {
        let mut circuit = self.circuit();
        *circuit = match (health, *circuit) {
            (Health::Good, _) | (Health::Reached, Circuit::Trying) => {
                Circuit::Closed { failures: 0 }
            }
            (Health::Reached, unchanged) => unchanged,
            (Health::Bad, Circuit::Closed { failures })
                if failures.saturating_add(1) < self.settings.failures =>
            {
                Circuit::Closed { failures: failures.saturating_add(1) }
            }
            (Health::Bad, Circuit::Open { until }) => Circuit::Open { until },
            (Health::Bad, _) => Circuit::Open { until: Instant::now() + self.settings.pause },
        };
    }
}

#[derive(Debug, Clone, Copy)]
enum Health {
    Good,
    /// It answers; whether it can charge is not known.
    Reached,
    Bad,
}

/// One admitted call. A call that is dropped at its timeout counts as a failure.
struct Call<'a> {
    breaker: &'a BreakerGateway,
    health: Health,
}

impl Call<'_> {
    fn ended(mut self, health: Health) {
        self.health = health;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.breaker.note(self.health);
    }
}

#[async_trait]
impl PaymentGateway for BreakerGateway {
    fn identity(&self) -> GatewayIdentity {
        self.gateway.identity()
    }

    fn is_available(&self) -> bool {
        match *self.circuit() {
            Circuit::Closed { .. } => self.gateway.is_available(),
            Circuit::Open { until } => Instant::now() >= until,
            Circuit::Trying => false,
        }
    }

    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        self.gateway.charge_request(id, request)
    }

    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome {
        let Some(call) = self.admit() else {
            return ChargeOutcome::Unreachable { reason: HELD_BACK.to_owned() };
        };
        let outcome = self.gateway.charge(key, request).await;
        call.ended(match outcome {
            ChargeOutcome::Approved(_) | ChargeOutcome::Declined(_) | ChargeOutcome::Voided => {
                Health::Good
            }
            ChargeOutcome::Unreachable { .. }
            | ChargeOutcome::NotExecuted { .. }
            | ChargeOutcome::Unknown { .. } => Health::Bad,
        });
        outcome
    }

    async fn look_up(&self, key: GatewayKey, request: &[u8]) -> LookUpOutcome {
        let Some(call) = self.admit() else {
            return LookUpOutcome::Nothing { reason: HELD_BACK.to_owned() };
        };
        let outcome = self.gateway.look_up(key, request).await;
        call.ended(match outcome {
            LookUpOutcome::Approved(_) | LookUpOutcome::Declined(_) | LookUpOutcome::Voided => {
                Health::Good
            }
            LookUpOutcome::Unseen { .. } => Health::Reached,
            LookUpOutcome::Nothing { .. } => Health::Bad,
        });
        outcome
    }

    async fn void(&self, key: GatewayKey, request: &[u8]) -> VoidOutcome {
        let Some(call) = self.admit() else {
            return VoidOutcome::Nothing { reason: HELD_BACK.to_owned() };
        };
        let outcome = self.gateway.void(key, request).await;
        call.ended(match outcome {
            VoidOutcome::Voided | VoidOutcome::Declined(_) | VoidOutcome::Settled(_) => {
                Health::Good
            }
            VoidOutcome::Nothing { .. } => Health::Bad,
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payonce_domain::gateway::Charge;
    use payonce_domain::ports::MockPaymentGateway;
    use uuid::Uuid;

    const SETTINGS: BreakerSettings =
        BreakerSettings { failures: 3, pause: Duration::from_secs(5) };

    fn approved() -> ChargeOutcome {
        ChargeOutcome::Approved(Charge { reference: "ch".to_owned() })
    }

    fn unknown() -> ChargeOutcome {
        ChargeOutcome::Unknown { reason: "500".to_owned() }
    }

    /// Answers with these outcomes, in their order, and fails the test when asked once more.
    fn breaker(outcomes: Vec<ChargeOutcome>) -> BreakerGateway {
        let mut gateway = MockPaymentGateway::new();
        gateway.expect_is_available().return_const(true);
        let mut outcomes = outcomes.into_iter();
        gateway
            .expect_charge()
            .returning(move |_, _| outcomes.next().expect("no call was to be let through"));
        BreakerGateway::new(Arc::new(gateway), SETTINGS)
    }

    async fn charge(breaker: &BreakerGateway) -> ChargeOutcome {
        breaker.charge(GatewayKey(Uuid::nil()), b"").await
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_nothing_is_let_through() {
        let breaker = breaker(vec![unknown(), unknown(), unknown()]);
        for _ in 0..3 {
            assert!(breaker.is_available());
            assert_eq!(charge(&breaker).await, unknown());
        }
        assert!(!breaker.is_available());
        assert_eq!(breaker.state(), CircuitState::Open);
        assert!(matches!(charge(&breaker).await, ChargeOutcome::Unreachable { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_in_between_keeps_it_closed() {
        let breaker =
            breaker(vec![unknown(), unknown(), approved(), unknown(), unknown(), approved()]);
        for _ in 0..6 {
            charge(&breaker).await;
        }
        assert!(breaker.is_available());
    }

    #[tokio::test(start_paused = true)]
    async fn after_its_pause_one_call_decides() {
        let breaker = breaker(vec![unknown(), unknown(), unknown(), unknown(), approved()]);
        for _ in 0..3 {
            charge(&breaker).await;
        }
        tokio::time::advance(SETTINGS.pause).await;
        assert!(breaker.is_available());
        assert_eq!(breaker.state(), CircuitState::HalfOpen);
        assert_eq!(charge(&breaker).await, unknown());
        assert!(!breaker.is_available(), "open again");
        tokio::time::advance(SETTINGS.pause).await;
        assert_eq!(charge(&breaker).await, approved());
        assert!(breaker.is_available(), "closed");
        assert_eq!(breaker.state(), CircuitState::Closed);
    }

    /// A gateway that fails charges and has not seen the key that it is asked for.
    fn forgetful(charges: Vec<ChargeOutcome>) -> BreakerGateway {
        let mut gateway = MockPaymentGateway::new();
        gateway.expect_is_available().return_const(true);
        let mut charges = charges.into_iter();
        gateway.expect_charge().returning(move |_, _| charges.next().expect("no further call"));
        let unseen = || LookUpOutcome::Unseen { reason: "404".to_owned() };
        gateway.expect_look_up().returning(move |_, _| unseen());
        BreakerGateway::new(Arc::new(gateway), SETTINGS)
    }

    async fn look_up(breaker: &BreakerGateway) -> LookUpOutcome {
        breaker.look_up(GatewayKey(Uuid::nil()), b"").await
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_was_not_seen_is_no_failure_and_excuses_none() {
        let breaker = forgetful(vec![unknown(), unknown(), unknown()]);
        for _ in 0..10 {
            look_up(&breaker).await;
        }
        assert!(breaker.is_available());
        for _ in 0..3 {
            assert!(breaker.is_available());
            charge(&breaker).await;
            look_up(&breaker).await;
        }
        assert!(!breaker.is_available());
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_answers_the_call_behind_the_pause_is_back() {
        let breaker = forgetful(vec![unknown(), unknown(), unknown(), approved()]);
        for _ in 0..3 {
            charge(&breaker).await;
        }
        tokio::time::advance(SETTINGS.pause).await;
        assert!(matches!(look_up(&breaker).await, LookUpOutcome::Unseen { .. }));
        assert_eq!(charge(&breaker).await, approved());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_dropped_at_its_timeout_is_a_failure() {
        struct Hanging;

        #[async_trait]
        impl PaymentGateway for Hanging {
            fn identity(&self) -> GatewayIdentity {
                unreachable!("nobody asks")
            }
            fn is_available(&self) -> bool {
                true
            }
            fn charge_request(&self, _: PaymentId, _: &PaymentRequest) -> Vec<u8> {
                Vec::new()
            }
            async fn charge(&self, _: GatewayKey, _: &[u8]) -> ChargeOutcome {
                std::future::pending().await
            }
            async fn look_up(&self, _: GatewayKey, _: &[u8]) -> LookUpOutcome {
                std::future::pending().await
            }
            async fn void(&self, _: GatewayKey, _: &[u8]) -> VoidOutcome {
                std::future::pending().await
            }
        }

        let breaker = BreakerGateway::new(Arc::new(Hanging), SETTINGS);
        for _ in 0..3 {
            let timed_out = tokio::time::timeout(SETTINGS.pause / 10, charge(&breaker)).await;
            assert!(timed_out.is_err());
        }
        assert!(!breaker.is_available());
    }
}
