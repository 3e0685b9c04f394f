//! The gateway in memory: the only true books, and every trick that gateways play.
//!
//! What it does and may be concluded from is the gateway protocol's: a key is executed once for as
//! long as it is known, requests with one key execute one at a time, a burnt key stays burnt.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;

use super::line::{Line, ReplyTo, reply};
use super::terms::Faults;
use super::world::{Break, Life, World, lock};
use crate::gateway::{
    Charge, ChargeOutcome, Decline, GatewayIdentity, GatewayKey, LookUpOutcome, VoidOutcome,
};
use crate::payment::{PaymentId, PaymentRequest};
use crate::ports::PaymentGateway;

/// What became of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Approved,
    Declined,
    Voided,
}

#[derive(Debug, Clone)]
pub(super) struct BankCharge {
    pub(super) id: String,
    pub(super) entry: Entry,
    /// What was sent; empty where a key was burnt before any charge.
    pub(super) contents: String,
    pub(super) executed_at: u64,
}

#[derive(Debug, Default)]
pub(super) struct Bank {
    pub(super) charges: BTreeMap<GatewayKey, Vec<BankCharge>>,
    executing: BTreeSet<GatewayKey>,
}

impl BankCharge {
    fn charge(&self) -> Charge {
        Charge { reference: self.id.clone() }
    }

    fn decline(&self) -> Decline {
        Decline { reference: Some(self.id.clone()), code: Some("no_funds".to_owned()) }
    }
}

impl Bank {
    pub(super) fn live(&self) -> impl Iterator<Item = &BankCharge> {
        self.charges.values().flatten().filter(|charge| charge.entry == Entry::Approved)
    }

    fn newest(&self, key: GatewayKey) -> Option<&BankCharge> {
        self.charges.get(&key).and_then(|charges| charges.last())
    }
}

/// What is sent for a payment; the part behind the last bar is a mere label.
pub(super) fn contents(id: PaymentId, request: &PaymentRequest) -> String {
    format!("{}|{}|{id}", request.money.minor(), request.money.currency())
}

/// The payment that a charge was made for, by its label.
pub(super) fn reference(contents: &str) -> &str {
    contents.rsplit('|').next().unwrap_or_default()
}

fn is_same(one: &str, other: &str) -> bool {
    one.rsplit_once('|').map(|it| it.0) == other.rsplit_once('|').map(|it| it.0)
}

fn unknown(reason: &str) -> ChargeOutcome {
    ChargeOutcome::Unknown { reason: reason.to_owned() }
}

/// How a request to the gateway fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    /// No byte of it is sent.
    Unreachable,
    /// Refused before its key is looked at.
    Refused,
    /// 500, and nothing happens.
    FailedBefore,
    /// It happens, and the answer is a 500, or unreadable.
    FailedAfter,
    /// It happens, and nobody answers.
    Unanswered,
    /// It happens when the caller has long given up.
    Late,
}

const FAULTS: [Fate; 6] = [
    Fate::Unreachable,
    Fate::Refused,
    Fate::FailedBefore,
    Fate::FailedAfter,
    Fate::Unanswered,
    Fate::Late,
];

impl World {
    fn gateway_fate(&mut self, faults: Faults) -> Fate {
        if self.is_gateway_away {
            return self.chance.pick(&[Fate::Unreachable, Fate::Unreachable, Fate::Late]);
        }
        if self.is_quiet || !self.chance.happens(faults.share) {
            return Fate::Well;
        }
        let ways = FAULTS.iter().enumerate().filter(|(way, _)| faults.has(*way));
        let ways: Vec<_> = ways.map(|(_, fate)| *fate).collect();
        if ways.is_empty() { Fate::Well } else { self.chance.pick(&ways) }
    }

    /// Gives an answer, at once or never.
    fn answer<T: Send + 'static>(&mut self, fate: Fate, life: Life, to: ReplyTo<T>, answer: T) {
        let back = self.chance.between(0, 20);
        if !matches!(fate, Fate::Unanswered | Fate::Late) {
            self.then(back, Some(life), move |_| to.give(answer));
        }
    }

    fn execute(&mut self, key: GatewayKey, contents: String) -> ChargeOutcome {
        let (now, window) = (self.now, self.terms.gateway_window);
        let is_decline = self.chance.happens(self.terms.declines);
        let charges = self.bank.charges.entry(key).or_default();
        let is_known =
            |it: &&BankCharge| it.entry == Entry::Voided || now - it.executed_at <= window;
        if let Some(known) = charges.last().filter(is_known) {
            return match known.entry {
                Entry::Voided => ChargeOutcome::Voided,
                _ if !is_same(&known.contents, &contents) => unknown("the key is reused"),
                Entry::Approved => ChargeOutcome::Approved(known.charge()),
                Entry::Declined => ChargeOutcome::Declined(known.decline()),
            };
        }
        let id = format!("ch_{}_{}", key.0.simple(), charges.len());
        let entry = if is_decline { Entry::Declined } else { Entry::Approved };
        let charge = BankCharge { id, entry, contents, executed_at: now };
        let outcome = match entry {
            Entry::Declined => ChargeOutcome::Declined(charge.decline()),
            Entry::Approved | Entry::Voided => ChargeOutcome::Approved(charge.charge()),
        };
        charges.push(charge);
        self.note(|| format!("the gateway executes {key}: {entry:?}"));
        self.check_charges();
        outcome
    }

    fn void(&mut self, key: GatewayKey) -> VoidOutcome {
        let (now, voidable) = (self.now, self.terms.voidable);
        let charges = self.bank.charges.entry(key).or_default();
        let outcome = match charges.last_mut() {
            None => {
                let (id, contents) = (String::new(), String::new());
                let entry = Entry::Voided;
                charges.push(BankCharge { id, entry, contents, executed_at: now });
                VoidOutcome::Voided
            }
            Some(known) => match known.entry {
                Entry::Voided => VoidOutcome::Voided,
                Entry::Declined => VoidOutcome::Declined(known.decline()),
                Entry::Approved if now - known.executed_at < voidable => {
                    known.entry = Entry::Voided;
                    VoidOutcome::Voided
                }
                Entry::Approved => VoidOutcome::Settled(known.charge()),
            },
        };
        self.note(|| format!("the gateway is told to void {key}: {outcome:?}"));
        outcome
    }
}

impl Line {
    /// Draws how a request fares and how long it is on its way.
    fn send(&self, what: &str, key: GatewayKey) -> (Fate, u64) {
        let world = &mut *lock(&self.world);
        let faults = match what {
            "charge" => world.terms.charge_faults,
            "void" => world.terms.void_faults,
            _ => world.terms.look_up_faults,
        };
        let fate = world.gateway_fate(faults);
        let late = if fate == Fate::Late { world.terms.lateness } else { 0 };
        let there = world.chance.between(0, 20) + world.chance.between(late / 4, late);
        let life = self.life;
        world
            .note(|| format!("{life} sends the gateway a {what} of {key}: {fate:?} in {there} ms"));
        (fate, there)
    }

    fn charge_once(
        &self,
        key: GatewayKey,
        contents: String,
        fate: Fate,
        there: u64,
        to: ReplyTo<ChargeOutcome>,
    ) {
        let life = self.life;
        let world = &mut *lock(&self.world);
        let early = match fate {
            Fate::Unreachable => Some(ChargeOutcome::Unreachable { reason: "refused".to_owned() }),
            Fate::FailedBefore => Some(unknown("500")),
            Fate::Refused => {
                let pause = world.chance.pick(&[None, Some(Duration::from_millis(60))]);
                Some(ChargeOutcome::NotExecuted { reason: "429".to_owned(), retry_after: pause })
            }
            Fate::Well | Fate::FailedAfter | Fate::Unanswered | Fate::Late => None,
        };
        match early {
            Some(outcome) => world.then(there, Some(life), move |_| to.give(outcome)),
            None => world.then(there, Some(life), move |world| {
                if !world.bank.executing.insert(key) {
                    return world.answer(fate, life, to, unknown("it is executing"));
                }
                let is_slow =
                    !world.is_quiet && world.chance.happens(world.terms.charge_faults.share);
                let takes = world.chance.between(0, if is_slow { 400 } else { 20 });
                // What the gateway has begun is not lost with its caller.
                world.then(takes, None, move |world| {
                    world.bank.executing.remove(&key);
                    let outcome = world.execute(key, contents);
                    let outcome = if fate == Fate::FailedAfter { unknown("500") } else { outcome };
                    world.answer(fate, life, to, outcome);
                });
            }),
        }
    }
}

#[async_trait]
impl PaymentGateway for Line {
    fn identity(&self) -> GatewayIdentity {
        GatewayIdentity { kind: "bank".into(), ..GatewayIdentity::default() }
    }

    fn is_available(&self) -> bool {
        !lock(&self.world).is_gateway_away
    }

    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        contents(id, request).into_bytes()
    }

    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome {
        let mut contents = String::from_utf8(request.to_vec()).expect("as it was made");
        if lock(&self.world).broken == Some(Break::OtherAmount) {
            contents.insert(0, '9');
        }
        let (fate, there) = self.send("charge", key);
        let (to, reply) = reply();
        self.charge_once(key, contents, fate, there, to);
        reply.await
    }

    async fn look_up(&self, key: GatewayKey, _: &[u8]) -> LookUpOutcome {
        let (fate, there) = self.send("look-up", key);
        let (to, reply) = reply();
        let life = self.life;
        lock(&self.world).then(there, Some(life), move |world| {
            let nothing = |reason: &str| LookUpOutcome::Nothing { reason: reason.to_owned() };
            let shown = match world.bank.newest(key) {
                _ if !matches!(fate, Fate::Well | Fate::Late) => nothing("500"),
                _ if world.bank.executing.contains(&key) => nothing("it is executing"),
                None => LookUpOutcome::Unseen { reason: "not found".to_owned() },
                Some(known) => match known.entry {
                    Entry::Approved => LookUpOutcome::Approved(known.charge()),
                    Entry::Declined => LookUpOutcome::Declined(known.decline()),
                    Entry::Voided => LookUpOutcome::Voided,
                },
            };
            world.note(|| format!("the gateway shows {life} of {key}: {shown:?}"));
            world.answer(fate, life, to, shown);
        });
        reply.await
    }

    async fn void(&self, key: GatewayKey, _: &[u8]) -> VoidOutcome {
        let (fate, there) = self.send("void", key);
        let (to, reply) = reply();
        let life = self.life;
        lock(&self.world).then(there, Some(life), move |world| {
            let nothing = VoidOutcome::Nothing { reason: "500".to_owned() };
            let is_held_back = world.bank.executing.contains(&key);
            let outcome = match fate {
                Fate::Unreachable | Fate::Refused | Fate::FailedBefore => nothing,
                _ if is_held_back => nothing,
                Fate::FailedAfter => {
                    world.void(key);
                    nothing
                }
                Fate::Well | Fate::Unanswered | Fate::Late => world.void(key),
            };
            world.answer(fate, life, to, outcome);
        });
        reply.await
    }
}
