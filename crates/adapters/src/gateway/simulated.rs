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
use payonce_domain::ports::PaymentGateway;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use super::ledger::{Ledger, LedgerEntry};

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
    ledger: Arc<Ledger>,
}

/// The body of a charge, as the gateway protocol spells it.
#[derive(Serialize)]
struct ChargeBody<'a> {
    amount: String,
    currency: &'a str,
    reference: String,
    payment_method: Option<&'a str>,
}

impl SimulatedGateway {
    /// A gateway with the given books.
    pub fn new(settings: SimulationSettings, ledger: Arc<Ledger>) -> Self {
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

    fn execute(&self, key: GatewayKey, request: &[u8]) -> LedgerEntry {
        let reference = format!("ch_{}", key.0.simple());
        let request = request.to_vec();
        if self.draw(|chance| chance.random_bool(self.settings.decline_rate)) {
            let code = "card_declined".to_owned();
            return LedgerEntry::Declined { reference, code, request };
        }
        LedgerEntry::Approved { reference, request }
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

    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        let body = ChargeBody {
            amount: request.money.to_string(),
            currency: request.money.currency().code(),
            reference: id.to_string(),
            payment_method: request.payment_method.as_ref().map(|method| method.as_str()),
        };
        // Strings and nulls always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome {
        self.pass_time().await;
        if self.draw(|chance| chance.random_bool(self.settings.failure_rate)) {
            return ChargeOutcome::Unknown { reason: "500 from the gateway".to_owned() };
        }
        match self.ledger.entry(key, || self.execute(key, request)) {
            LedgerEntry::Approved { reference, .. } => {
                ChargeOutcome::Approved(Charge { reference })
            }
            LedgerEntry::Declined { reference, code, .. } => {
                ChargeOutcome::Declined(Decline { reference: Some(reference), code: Some(code) })
            }
            LedgerEntry::Voided => ChargeOutcome::Voided,
        }
    }

    async fn look_up(&self, key: GatewayKey) -> LookUpOutcome {
        self.pass_time().await;
        match self.ledger.find(key) {
            Some(LedgerEntry::Approved { reference, .. }) => {
                LookUpOutcome::Approved(Charge { reference })
            }
            Some(LedgerEntry::Declined { reference, code, .. }) => {
                LookUpOutcome::Declined(Decline { reference: Some(reference), code: Some(code) })
            }
            Some(LedgerEntry::Voided) => LookUpOutcome::Voided,
            None => LookUpOutcome::Nothing { reason: "not found".to_owned() },
        }
    }

    async fn void(&self, key: GatewayKey) -> VoidOutcome {
        self.pass_time().await;
        match self.ledger.entry(key, || LedgerEntry::Voided) {
            LedgerEntry::Approved { reference, .. } => VoidOutcome::Settled(Charge { reference }),
            LedgerEntry::Declined { reference, code, .. } => {
                VoidOutcome::Declined(Decline { reference: Some(reference), code: Some(code) })
            }
            LedgerEntry::Voided => VoidOutcome::Voided,
        }
    }
}
