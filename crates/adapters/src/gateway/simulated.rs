//! A gateway that lives in the process: it moves no money, fails and declines as often as it is
//! told to, and keeps its own books.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use payonce_domain::gateway::{
    Charge, ChargeOutcome, Decline, GatewayIdentity, GatewayKey, LookUpOutcome, VoidOutcome,
};
use payonce_domain::payment::{PaymentId, PaymentRequest};
use payonce_domain::ports::{
    ChargeContents, ChargeLedger, LedgerCharge, LedgerEntry, PaymentGateway,
};
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
    /// Makes a run repeatable.
    pub seed: Option<u64>,
}

/// The gateway.
pub struct SimulatedGateway {
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
        Self { settings, chance: Mutex::new(chance), ledger }
    }

    fn draw<T>(&self, lot: impl FnOnce(&mut StdRng) -> T) -> T {
        lot(&mut self.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn pass_time(&self) {
        let latency = self.draw(|chance| chance.random_range(self.settings.latency.clone()));
        tokio::time::sleep(latency).await;
    }

    /// What becomes of a charge, should its key be new.
    fn decide(&self, key: GatewayKey, request: ChargeRequest) -> LedgerCharge {
        let is_declined = self.draw(|chance| chance.random_bool(self.settings.decline_rate));
        LedgerCharge {
            id: format!("ch_{}", key.0.simple()),
            contents: ChargeContents {
                amount: request.amount,
                currency: request.currency,
                payment_method: request.payment_method,
            },
            reference: Some(request.reference),
            decline_code: is_declined.then(|| "card_declined".to_owned()),
        }
    }
}

#[async_trait]
impl PaymentGateway for SimulatedGateway {
    fn identity(&self) -> GatewayIdentity {
        GatewayIdentity {
            kind: "simulated".to_owned(),
            base_url: String::new(),
            account: String::new(),
        }
    }

    fn is_available(&self) -> bool {
        true
    }

    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        ChargeRequest::bytes(id, request)
    }

    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome {
        self.pass_time().await;
        if self.draw(|chance| chance.random_bool(self.settings.failure_rate)) {
            return ChargeOutcome::Unknown { reason: "500 from the gateway".to_owned() };
        }
        let Some(request) = ChargeRequest::read(request) else {
            return ChargeOutcome::Unknown { reason: "the request is unreadable".to_owned() };
        };
        match self.ledger.execute(key, &self.decide(key, request)).await {
            Ok(entered) => match entered.entry {
                LedgerEntry::Charge(charge) => match ended(charge) {
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
            Ok(Some(LedgerEntry::Charge(charge))) => match ended(charge) {
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
            Ok(LedgerEntry::Charge(charge)) => match ended(charge) {
                Ok(charge) => VoidOutcome::Settled(charge),
                Err(decline) => VoidOutcome::Declined(decline),
            },
            Ok(LedgerEntry::Voided) => VoidOutcome::Voided,
            Err(error) => VoidOutcome::Nothing { reason: error.to_string() },
        }
    }
}

/// What became of a charge that was executed.
fn ended(charge: LedgerCharge) -> Result<Charge, Decline> {
    match charge.decline_code {
        None => Ok(Charge { reference: charge.id }),
        code => Err(Decline { reference: Some(charge.id), code }),
    }
}
