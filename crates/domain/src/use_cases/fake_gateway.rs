//! A gateway for tests and demonstrations: keeps real books, moves no money, and breaks in every
//! way in which gateways break.
//!
//! Look-ups and voids are prompt and never fail on purpose; only charges are slow and disturbed.

mod mode;

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::gateway::GatewayKey;
use crate::ports::{
    ChargeContents, ChargeLedger, LedgerCharge, LedgerEntry, Random, RepositoryError,
};

pub use mode::{FakeGatewayMode, UnknownMode};

/// How long a slow charge takes: longer than any caller is patient.
pub const SLOW: Duration = Duration::from_secs(5);
const DECLINE_CODE: &str = "card_declined";

/// How the gateway behaves.
#[derive(Debug, Clone)]
pub struct FakeGatewayTerms {
    /// Share of charges that fail before anything is charged, 0 to 1.
    pub failure_rate: f64,
    /// How long a charge takes.
    pub latency: RangeInclusive<Duration>,
    /// What happens to every charge whose request names nothing else.
    pub mode: Option<FakeGatewayMode>,
}

/// The gateway.
pub struct FakeGateway {
    ledger: Arc<dyn ChargeLedger>,
    random: Arc<dyn Random>,
    terms: FakeGatewayTerms,
    in_flight: Mutex<HashSet<GatewayKey>>,
}

/// One request for a charge.
#[derive(Debug, Clone)]
pub struct ChargeCommand {
    /// The caller's key.
    pub key: GatewayKey,
    /// What is asked for.
    pub contents: ChargeContents,
    /// The caller's label.
    pub reference: Option<String>,
    /// What is to happen to it.
    pub mode: Option<FakeGatewayMode>,
}

/// What a charge is told, and how the answer travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeAnswer {
    /// The answer.
    pub reply: ChargeReply,
    /// How it travels.
    pub delivery: Delivery,
}

/// What a charge is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeReply {
    /// What became of it.
    Charge {
        /// The charge.
        charge: Arc<LedgerCharge>,
        /// Whether an earlier request executed it.
        is_replay: bool,
    },
    /// The key is burnt.
    KeyVoided,
    /// The key is known with other contents.
    KeyReused,
    /// An earlier request with this key is executing.
    InFlight,
    /// Refused before the key was looked at.
    TooManyRequests,
    /// Something broke; the charge may have happened.
    Failed,
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As it should.
    Whole,
    /// Not before the caller has lost patience.
    Never,
    /// The connection breaks first.
    Reset,
    /// Unreadably.
    Garbled,
}

/// What a look-up is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUpReply {
    /// What the key stands for.
    Found(LedgerEntry),
    /// The key was not seen yet.
    NotFound,
    /// A request with this key is executing.
    InFlight,
}

/// What a void is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoidReply {
    /// The key is burnt.
    Voided,
    /// The charge had been declined before; that stays.
    Declined(Arc<LedgerCharge>),
    /// The charge had been approved before and is beyond voiding.
    Settled(Arc<LedgerCharge>),
    /// A request with this key is executing.
    InFlight,
}

impl FakeGateway {
    /// A gateway with the given books.
    pub fn new(
        ledger: Arc<dyn ChargeLedger>,
        random: Arc<dyn Random>,
        terms: FakeGatewayTerms,
    ) -> Self {
        Self { ledger, random, terms, in_flight: Mutex::default() }
    }

    /// Executes a charge, or repeats what became of it.
    pub async fn charge(&self, command: ChargeCommand) -> Result<ChargeAnswer, RepositoryError> {
        let mode = command.mode.or(self.terms.mode);
        if mode == Some(FakeGatewayMode::NotExecuted429) {
            return Ok(ChargeReply::TooManyRequests.whole());
        }
        let Some(_in_flight) = InFlight::enter(self, command.key) else {
            return Ok(ChargeReply::InFlight.whole());
        };
        self.pass_time(mode).await;
        let is_broken = match mode {
            Some(mode) => mode == FakeGatewayMode::FailBefore,
            None => self.happens(self.terms.failure_rate),
        };
        if is_broken {
            return Ok(ChargeReply::Failed.whole());
        }
        let charge = Arc::new(LedgerCharge {
            id: format!("ch_{}", command.key.0.simple()),
            contents: command.contents,
            reference: command.reference,
            decline_code: (mode == Some(FakeGatewayMode::Decline)).then(|| DECLINE_CODE.to_owned()),
        });
        let entered = self.ledger.execute(command.key, Arc::clone(&charge)).await?;
        Ok(match entered.entry {
            LedgerEntry::Voided => ChargeReply::KeyVoided.whole(),
            LedgerEntry::Charge(known) if known.contents != charge.contents => {
                ChargeReply::KeyReused.whole()
            }
            LedgerEntry::Charge(charge) => disturbed(mode, charge, !entered.is_new),
        })
    }

    /// Tells what a key stands for.
    pub async fn look_up(&self, key: GatewayKey) -> Result<LookUpReply, RepositoryError> {
        if self.lock().contains(&key) {
            return Ok(LookUpReply::InFlight);
        }
        let entry = self.ledger.find(key).await?;
        Ok(entry.map_or(LookUpReply::NotFound, LookUpReply::Found))
    }

    /// The books, a page at a time: what is executing is not in them yet.
    pub async fn books(
        &self,
        after: Option<GatewayKey>,
        limit: u32,
    ) -> Result<Vec<(GatewayKey, LedgerEntry)>, RepositoryError> {
        self.ledger.entries(after, limit).await
    }

    /// Burns a key, so that no charge can follow.
    pub async fn void(&self, key: GatewayKey) -> Result<VoidReply, RepositoryError> {
        if self.lock().contains(&key) {
            return Ok(VoidReply::InFlight);
        }
        Ok(match self.ledger.void(key).await? {
            LedgerEntry::Voided => VoidReply::Voided,
            LedgerEntry::Charge(charge) if charge.decline_code.is_some() => {
                VoidReply::Declined(charge)
            }
            LedgerEntry::Charge(charge) => VoidReply::Settled(charge),
        })
    }

    async fn pass_time(&self, mode: Option<FakeGatewayMode>) {
        let (least, most) = (*self.terms.latency.start(), *self.terms.latency.end());
        let latency = least.saturating_add(self.random.up_to(most.saturating_sub(least)));
        let slowness = if mode == Some(FakeGatewayMode::Slow) { SLOW } else { Duration::ZERO };
        let time = latency.max(slowness);
        // A timer counts whole milliseconds: even a sleep of nothing would last for up to two.
        if !time.is_zero() {
            sleep(time).await;
        }
    }

    /// Whether what happens in this share of cases happens now.
    fn happens(&self, share: f64) -> bool {
        // The draw stays below one second, so a share of 1 always happens and 0 never does.
        let draw = self.random.up_to(Duration::from_nanos(999_999_999));
        Duration::try_from_secs_f64(share).is_ok_and(|share| draw < share)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<GatewayKey>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChargeReply {
    fn whole(self) -> ChargeAnswer {
        ChargeAnswer { reply: self, delivery: Delivery::Whole }
    }
}

/// Does to the answer of an executed charge what the mode says.
fn disturbed(
    mode: Option<FakeGatewayMode>,
    charge: Arc<LedgerCharge>,
    is_replay: bool,
) -> ChargeAnswer {
    let delivery = match mode {
        Some(FakeGatewayMode::ErrorAfterCharge) => return ChargeReply::Failed.whole(),
        Some(FakeGatewayMode::WrongAmount) => {
            let charge = Arc::new(with_another_amount(&charge));
            return ChargeReply::Charge { charge, is_replay }.whole();
        }
        Some(FakeGatewayMode::ChargeThenTimeout) => Delivery::Never,
        Some(FakeGatewayMode::ChargeThenReset) => Delivery::Reset,
        Some(FakeGatewayMode::Malformed) => Delivery::Garbled,
        Some(
            FakeGatewayMode::FailBefore
            | FakeGatewayMode::Slow
            | FakeGatewayMode::Decline
            | FakeGatewayMode::NotExecuted429,
        )
        | None => Delivery::Whole,
    };
    ChargeAnswer { reply: ChargeReply::Charge { charge, is_replay }, delivery }
}

fn with_another_amount(charge: &LedgerCharge) -> LedgerCharge {
    let amount = format!("1{}", charge.contents.amount);
    let contents = ChargeContents { amount, ..charge.contents.clone() };
    LedgerCharge { contents, ..charge.clone() }
}

/// A key whose charge is executing, until it is dropped.
struct InFlight<'a> {
    gateway: &'a FakeGateway,
    key: GatewayKey,
}

impl<'a> InFlight<'a> {
    /// `None` when the key is in flight already.
    fn enter(gateway: &'a FakeGateway, key: GatewayKey) -> Option<Self> {
        let is_new = gateway.lock().insert(key);
        // Lazily: dropping one that was not entered would take the key away from its owner.
        is_new.then(|| Self { gateway, key })
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.gateway.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
