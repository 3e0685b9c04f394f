//! A gateway that lives in the process: it moves no money, fails and declines as often as it is
//! told to, and keeps its own books.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use payonce_domain::gateway::{
    Charge, ChargeOutcome, Decline, GatewayIdentity, GatewayKey, LookUpOutcome, VoidOutcome,
};
use payonce_domain::payment::{PaymentId, PaymentRequest};
use payonce_domain::ports::{
    ChargeContents, ChargeLedger, Entered, LedgerCharge, LedgerEntry, PaymentGateway,
    RepositoryError,
};
use payonce_domain::use_cases::fake_gateway::{FakeGatewayMode, SLOW};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::charge_request::ChargeRequest;

/// How the simulated gateway behaves.
#[derive(Debug, Clone)]
pub struct SimulationSettings {
    /// Share of sends that fail before anything is charged, 0 to 1.
    pub failure_rate: f64,
    /// Share of new charges that are declined, 0 to 1.
    pub decline_rate: f64,
    /// How long a send takes.
    pub latency: RangeInclusive<Duration>,
    /// What happens to every charge, instead of failures by chance.
    pub mode: Option<FakeGatewayMode>,
    /// Makes a run repeatable.
    pub seed: Option<u64>,
}

/// The gateway.
pub struct SimulatedGateway {
    identity: GatewayIdentity,
    settings: SimulationSettings,
    chance: Mutex<StdRng>,
    ledger: Arc<dyn ChargeLedger>,
}

impl SimulatedGateway {
    /// A gateway with the given books.
    pub fn new(settings: SimulationSettings, ledger: Arc<dyn ChargeLedger>) -> Self {
        let chance = match settings.seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        let identity = GatewayIdentity { kind: "simulated".into(), ..GatewayIdentity::default() };
        Self { identity, settings, chance: Mutex::new(chance), ledger }
    }

    fn draw<T>(&self, lot: impl FnOnce(&mut StdRng) -> T) -> T {
        lot(&mut self.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn pass_time(&self) {
        let latency = self.draw(|chance| chance.random_range(self.settings.latency.clone()));
        // A timer counts whole milliseconds: even a sleep of nothing would last for up to two.
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    /// What becomes of a charge, should its key be new.
    fn decide(&self, key: GatewayKey, request: ChargeRequest<'_>) -> Arc<LedgerCharge> {
        let is_declined = self.settings.mode == Some(FakeGatewayMode::Decline)
            || self.draw(|chance| chance.random_bool(self.settings.decline_rate));
        Arc::new(LedgerCharge {
            id: format!("ch_{}", key.0.simple()),
            contents: ChargeContents {
                amount: request.amount.into_owned(),
                currency: request.currency.into_owned(),
                payment_method: request.payment_method.map(Cow::into_owned),
            },
            reference: Some(request.reference.into_owned()),
            decline_code: is_declined.then(|| "card_declined".to_owned()),
        })
    }
}

#[async_trait]
impl PaymentGateway for SimulatedGateway {
    fn identity(&self) -> GatewayIdentity {
        self.identity.clone()
    }

    fn is_available(&self) -> bool {
        true
    }

    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        ChargeRequest::bytes(id, request)
    }

    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome {
        if self.settings.mode == Some(FakeGatewayMode::NotExecuted429) {
            let (reason, retry_after) = ("429".to_owned(), Some(Duration::from_secs(1)));
            return ChargeOutcome::NotExecuted { reason, retry_after };
        }
        self.pass_time().await;
        if self.fails_before() {
            return unknown("500 from the gateway");
        }
        let Some(request) = ChargeRequest::read(request) else {
            return unknown("the request is unreadable");
        };
        let executed = self.execute(key, self.decide(key, request)).await;
        if let Some(disturbed) = self.disturbed().await {
            return disturbed;
        }
        match executed {
            Ok(entered) => match entered.entry {
                LedgerEntry::Charge(charge) => match ended(&charge) {
                    Ok(charge) => ChargeOutcome::Approved(charge),
                    Err(decline) => ChargeOutcome::Declined(decline),
                },
                LedgerEntry::Voided => ChargeOutcome::Voided,
            },
            Err(error) => ChargeOutcome::Unknown { reason: error.to_string() },
        }
    }

    async fn look_up(&self, key: GatewayKey, _request: &[u8]) -> LookUpOutcome {
        self.pass_time().await;
        match self.ledger.find(key).await {
            Ok(Some(LedgerEntry::Charge(charge))) => match ended(&charge) {
                Ok(charge) => LookUpOutcome::Approved(charge),
                Err(decline) => LookUpOutcome::Declined(decline),
            },
            Ok(Some(LedgerEntry::Voided)) => LookUpOutcome::Voided,
            Ok(None) => LookUpOutcome::Unseen { reason: "not found".to_owned() },
            Err(error) => LookUpOutcome::Nothing { reason: error.to_string() },
        }
    }

    async fn void(&self, key: GatewayKey, _request: &[u8]) -> VoidOutcome {
        self.pass_time().await;
        match self.ledger.void(key).await {
            Ok(LedgerEntry::Charge(charge)) => match ended(&charge) {
                Ok(charge) => VoidOutcome::Settled(charge),
                Err(decline) => VoidOutcome::Declined(decline),
            },
            Ok(LedgerEntry::Voided) => VoidOutcome::Voided,
            Err(error) => VoidOutcome::Nothing { reason: error.to_string() },
        }
    }
}

impl SimulatedGateway {
    fn fails_before(&self) -> bool {
        match self.settings.mode {
            Some(mode) => mode == FakeGatewayMode::FailBefore,
            None => self.draw(|chance| chance.random_bool(self.settings.failure_rate)),
        }
    }

    async fn execute(
        &self,
        key: GatewayKey,
        charge: Arc<LedgerCharge>,
    ) -> Result<Entered, RepositoryError> {
        if self.settings.mode != Some(FakeGatewayMode::Slow) {
            return self.ledger.execute(key, charge).await;
        }
        // It is charged all the same when its caller gives up.
        let ledger = Arc::clone(&self.ledger);
        let late = tokio::spawn(async move {
            tokio::time::sleep(SLOW).await;
            ledger.execute(key, charge).await
        });
        late.await.map_err(|stopped| RepositoryError::Unavailable(stopped.into()))?
    }

    /// What the mode makes of the answer to a charge that was executed.
    async fn disturbed(&self) -> Option<ChargeOutcome> {
        match self.settings.mode? {
            FakeGatewayMode::ChargeThenTimeout => std::future::pending().await,
            FakeGatewayMode::ChargeThenReset => Some(unknown("the connection was reset")),
            FakeGatewayMode::ErrorAfterCharge => Some(unknown("500 from the gateway")),
            FakeGatewayMode::Malformed => Some(unknown("the answer is unreadable")),
            FakeGatewayMode::WrongAmount => Some(unknown("the answer names another amount")),
            FakeGatewayMode::FailBefore
            | FakeGatewayMode::Slow
            | FakeGatewayMode::Decline
            | FakeGatewayMode::NotExecuted429 => None,
        }
    }
}

fn unknown(reason: &str) -> ChargeOutcome {
    ChargeOutcome::Unknown { reason: reason.to_owned() }
}

/// What became of a charge that was executed.
fn ended(charge: &LedgerCharge) -> Result<Charge, Decline> {
    let id = charge.id.clone();
    match charge.decline_code.clone() {
        None => Ok(Charge { reference: id }),
        code => Err(Decline { reference: Some(id), code }),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use payonce_domain::money::Money;
    use payonce_domain::payment::{Metadata, Operation};
    use uuid::Uuid;

    use super::*;
    use crate::gateway::Ledger;

    #[tokio::test]
    async fn a_gateway_that_takes_no_time_answers_at_once() {
        let settings = SimulationSettings {
            failure_rate: 0.0,
            decline_rate: 0.0,
            latency: Duration::ZERO..=Duration::ZERO,
            mode: None,
            seed: None,
        };
        let gateway = SimulatedGateway::new(settings, Arc::new(Ledger::default()));
        let request = PaymentRequest {
            operation: Operation::CreatePayment,
            money: Money::parse("1", "USD".parse().expect("known")).expect("valid"),
            payment_method: None,
            reference: None,
            description: None,
            metadata: Metadata::default(),
        };
        let (key, id) = (GatewayKey(Uuid::from_u128(1)), PaymentId(Uuid::from_u128(2)));
        let request = gateway.charge_request(id, &request);
        let charged = gateway.charge(key, &request).now_or_never();
        assert!(matches!(charged, Some(ChargeOutcome::Approved(_))), "{charged:?}");
        let found = gateway.look_up(key, &request).now_or_never();
        assert!(matches!(found, Some(LookUpOutcome::Approved(_))), "{found:?}");
    }
}
