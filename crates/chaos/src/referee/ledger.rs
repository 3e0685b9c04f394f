//! The books: what each key stands for, and every charge that was ever executed; knows no wire.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

/// What a charge is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// As the caller spelled it.
    pub amount: String,
    /// The currency.
    pub currency: String,
    /// A token, if one was named.
    pub payment_method: Option<String>,
}

/// One charge that was executed: it moved money, or was declined.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its key.
    pub key: Uuid,
    /// Its id.
    pub id: String,
    /// What it was made of.
    pub contents: Contents,
    /// The payment's id, as the caller said.
    pub reference: String,
    /// Whether money moved.
    pub approved: bool,
}

#[derive(Debug)]
enum Entry {
    InFlight,
    Executed { contents: Contents, charge: Value, at: Instant, approved: bool },
    Voided,
}

/// What becomes of a charge that arrives.
#[derive(Debug)]
pub enum Arrival {
    /// It is to be executed: it is in flight until then.
    Fresh,
    /// Executed earlier.
    Replay(Value),
    /// Being executed.
    InFlight,
    /// Known with other contents.
    Reused,
    /// Burnt.
    Voided,
}

/// What is known of a key.
#[derive(Debug)]
pub enum Known {
    /// Its charge, or that it is burnt.
    Charge(Value),
    /// Being executed.
    InFlight,
    /// Nothing.
    Nothing,
}

/// What becomes of a void.
#[derive(Debug)]
pub enum Void {
    /// Nothing can follow any more: voided, or declined before.
    Final(Value),
    /// Money has moved for good.
    Settled(Value),
    /// Being executed.
    InFlight,
}

/// The books.
#[derive(Debug)]
pub struct Ledger {
    entries: HashMap<Uuid, Entry>,
    executions: Vec<Execution>,
    /// For how long a key is recognised in a repeated charge.
    pub window: Duration,
}

impl Ledger {
    /// Empty ones.
    pub fn new(window: Duration) -> Self {
        Self { entries: HashMap::new(), executions: Vec::new(), window }
    }

    /// Every charge that was executed, in order.
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    /// How many keys were burnt.
    pub fn voided(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry, Entry::Voided)).count()
    }

    /// A charge arrives.
    pub fn arrive(&mut self, key: Uuid, asked: &Contents) -> Arrival {
        match self.entries.get(&key) {
            Some(Entry::InFlight) => return Arrival::InFlight,
            Some(Entry::Voided) => return Arrival::Voided,
            Some(Entry::Executed { at, contents, charge, .. }) if at.elapsed() < self.window => {
                if contents != asked {
                    return Arrival::Reused;
                }
                return Arrival::Replay(charge.clone());
            }
            // Forgotten: the same key may charge again.
            Some(Entry::Executed { .. }) | None => {}
        }
        self.entries.insert(key, Entry::InFlight);
        Arrival::Fresh
    }

    /// A charge in flight is executed.
    pub fn execute(
        &mut self,
        key: Uuid,
        contents: Contents,
        reference: &str,
        approved: bool,
    ) -> Value {
        let id = format!("ch_{:08}", self.executions.len());
        let charge = json!({
            "id": id,
            "key": key.to_string(),
            "status": if approved { "approved" } else { "declined" },
            "amount": contents.amount,
            "currency": contents.currency,
            "reference": reference,
            "decline_code": (!approved).then_some("insufficient_funds"),
        });
        let reference = reference.to_owned();
        let execution = Execution { key, id, contents: contents.clone(), reference, approved };
        self.executions.push(execution);
        let at = Instant::now();
        let entry = Entry::Executed { contents, charge: charge.clone(), at, approved };
        self.entries.insert(key, entry);
        charge
    }

    /// What is known of a key.
    pub fn look_up(&self, key: Uuid) -> Known {
        match self.entries.get(&key) {
            Some(Entry::Executed { charge, .. }) => Known::Charge(charge.clone()),
            Some(Entry::Voided) => Known::Charge(voided(key)),
            Some(Entry::InFlight) => Known::InFlight,
            None => Known::Nothing,
        }
    }

    /// Burns a key.
    pub fn void(&mut self, key: Uuid) -> Void {
        match self.entries.get(&key) {
            Some(Entry::InFlight) => Void::InFlight,
            Some(Entry::Executed { charge, approved: true, .. }) => Void::Settled(charge.clone()),
            Some(Entry::Executed { charge, .. }) => Void::Final(charge.clone()),
            Some(Entry::Voided) | None => {
                self.entries.insert(key, Entry::Voided);
                Void::Final(voided(key))
            }
        }
    }
}

fn voided(key: Uuid) -> Value {
    json!({
        "id": null, "key": key.to_string(), "status": "voided", "amount": null, "currency": null,
        "reference": null, "decline_code": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        Contents { amount: "1.00".into(), currency: "USD".into(), payment_method: None }
    }

    #[test]
    fn a_key_charges_once_inside_the_window_and_again_behind_it() {
        let (mut ledger, key) = (Ledger::new(Duration::from_secs(60)), Uuid::from_u128(1));
        assert!(matches!(ledger.arrive(key, &contents()), Arrival::Fresh));
        assert!(matches!(ledger.arrive(key, &contents()), Arrival::InFlight));
        ledger.execute(key, contents(), "p", true);
        assert!(matches!(ledger.arrive(key, &contents()), Arrival::Replay(_)));
        let dearer = Contents { amount: "2.00".into(), ..contents() };
        assert!(matches!(ledger.arrive(key, &dearer), Arrival::Reused));
        assert!(matches!(ledger.void(key), Void::Settled(_)));
        ledger.window = Duration::ZERO;
        assert!(matches!(ledger.arrive(key, &contents()), Arrival::Fresh));
    }

    #[test]
    fn a_burnt_key_never_charges() {
        let (mut ledger, key) = (Ledger::new(Duration::ZERO), Uuid::from_u128(1));
        assert!(matches!(ledger.look_up(key), Known::Nothing));
        assert!(matches!(ledger.void(key), Void::Final(_)));
        assert!(matches!(ledger.arrive(key, &contents()), Arrival::Voided));
        assert!(ledger.executions().is_empty());
    }
}
