//! How a gateway misbehaves, drawn by chance; knows neither the books nor the wire.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;

/// What happens to one charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeTrick {
    /// Nothing: it is executed and answered.
    Honest,
    /// 500, and nothing is charged.
    FailBefore,
    /// Charged, and no answer.
    ChargeThenHang,
    /// Charged, and 500.
    ChargeThen500,
    /// Charged, and the connection is reset.
    ChargeThenReset,
    /// Charged, and half of the answer.
    ChargeThenTruncate,
    /// Charged, and an answer that is no JSON.
    ChargeThenGarbage,
    /// Charged, and an answer with another amount.
    WrongAmount,
    /// Charged, and an answer about another key.
    WrongKey,
    /// Charged, and an answer of ten megabytes.
    Huge,
    /// Charged, and a redirect.
    Redirect,
    /// Charged, and an informational answer only.
    Informational,
    /// Charged, and an answer that comes byte by byte.
    Drip,
    /// Refused for now, untouched.
    TooMany,
    /// No answer, and charged much later, unless something else came first.
    Late(Duration),
    /// No answer, and nothing charged.
    Lost,
}

/// What happens to a void, and to a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskTrick {
    /// Nothing.
    Honest,
    /// 500, and nothing happens.
    Fail,
    /// It happens, and is answered by 500.
    HappenThen500,
    /// It happens, and no answer comes.
    HappenThenHang,
    /// It happens, and the connection is reset.
    HappenThenReset,
    /// No answer, and it happens much later.
    Late(Duration),
}

/// How often it misbehaves, in a thousand, and how fast it is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Behaviour {
    /// Charges that do not go well.
    pub charges: u32,
    /// Whether every trick may happen to them, or only the usual ones.
    pub every_trick: bool,
    /// Voids and look-ups that do not go well.
    pub asks: u32,
    /// Charges that are declined.
    pub declines: u32,
    /// The longest that an honest answer takes, in milliseconds.
    pub latency: u64,
    /// The latest that something late happens, in milliseconds.
    pub latest: u64,
}

impl Behaviour {
    /// Good, beside some declines.
    pub fn calm() -> Self {
        Self { charges: 0, every_trick: false, asks: 0, declines: 40, latency: 8, latest: 0 }
    }

    /// As a gateway is on a bad day.
    pub fn usual() -> Self {
        Self { charges: 150, asks: 50, latest: 1_200, ..Self::calm() }
    }

    /// In every way that the protocol allows.
    pub fn nasty() -> Self {
        Self { charges: 350, every_trick: true, asks: 250, latest: 2_500, ..Self::calm() }
    }

    /// How long an honest answer takes.
    pub fn pause(&self, random: &mut StdRng) -> Duration {
        Duration::from_millis(random.random_range(0..=self.latency))
    }

    /// Whether a charge is declined.
    pub fn declines(&self, random: &mut StdRng) -> bool {
        random.random_range(0..1_000) < self.declines
    }

    /// What happens to a charge.
    pub fn of_charge(&self, random: &mut StdRng) -> ChargeTrick {
        if random.random_range(0..1_000) >= self.charges {
            return ChargeTrick::Honest;
        }
        let kinds = if self.every_trick { 15 } else { 7 };
        match random.random_range(0..kinds) {
            0 => ChargeTrick::FailBefore,
            1 => ChargeTrick::Late(self.late(random)),
            2 => ChargeTrick::ChargeThenHang,
            3 => ChargeTrick::ChargeThen500,
            4 => ChargeTrick::ChargeThenGarbage,
            5 => ChargeTrick::ChargeThenTruncate,
            6 => ChargeTrick::ChargeThenReset,
            7 => ChargeTrick::WrongAmount,
            8 => ChargeTrick::WrongKey,
            9 => ChargeTrick::Huge,
            10 => ChargeTrick::Redirect,
            11 => ChargeTrick::Informational,
            12 => ChargeTrick::Drip,
            13 => ChargeTrick::TooMany,
            _ => ChargeTrick::Lost,
        }
    }

    /// What happens to a void or a look-up.
    pub fn of_ask(&self, random: &mut StdRng) -> AskTrick {
        if random.random_range(0..1_000) >= self.asks {
            return AskTrick::Honest;
        }
        match random.random_range(0..5) {
            0 => AskTrick::Fail,
            1 => AskTrick::HappenThen500,
            2 => AskTrick::HappenThenHang,
            3 => AskTrick::HappenThenReset,
            _ => AskTrick::Late(self.late(random)),
        }
    }

    fn late(&self, random: &mut StdRng) -> Duration {
        Duration::from_millis(random.random_range(200..=self.latest.max(200)))
    }
}
