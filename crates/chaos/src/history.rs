//! What clients saw of each payment and each announced transaction.

use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The wire format of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `POST /v1/payments`.
    Canonical,
    /// `POST /pay`.
    Pay,
    /// `POST /payments/start/`.
    Order,
}

impl Format {
    /// The key space as stored.
    pub fn space(self) -> &'static str {
        match self {
            Self::Canonical | Self::Pay => "key",
            Self::Order => "order",
        }
    }
}

/// A final answer, as far as it must stay the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Final {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// Where the payment is.
    pub location: String,
    /// The body.
    pub body: Vec<u8>,
}

/// One payment, as its clients saw it.
#[derive(Debug, Clone)]
pub struct Payment {
    /// Its format.
    pub format: Format,
    /// Its key.
    pub key: String,
    /// Its amount in cents.
    pub cents: u64,
    /// Whether any answer said that it is stored.
    pub is_known: bool,
    /// The first final answer.
    pub first: Option<Final>,
    /// Final answers that differ from the first.
    pub differing: Vec<Final>,
    /// Answers that nothing excuses, in words.
    pub strange: Vec<String>,
    /// Answers of another request under its key that are none of 422.
    pub leaked: Vec<String>,
    /// Requests of all kinds.
    pub requests: u64,
}

impl Payment {
    /// One that nobody has asked for.
    pub fn new(format: Format, key: String, cents: u64) -> Self {
        Self {
            format,
            key,
            cents,
            is_known: false,
            first: None,
            differing: Vec::new(),
            strange: Vec::new(),
            leaked: Vec::new(),
            requests: 0,
        }
    }

    /// A final answer came.
    pub fn ended(&mut self, answer: Final) {
        self.is_known = true;
        match &self.first {
            None => self.first = Some(answer),
            Some(first) if *first == answer => {}
            Some(_) => self.differing.push(answer),
        }
    }
}

/// One announced transaction, as its sender saw it.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Its amount in the smallest unit.
    pub minor: u64,
    /// Whether it was answered by 202.
    pub is_accepted: bool,
    /// Answers that nothing excuses.
    pub strange: Vec<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct History {
    payments: Mutex<Vec<Payment>>,
    webhooks: Mutex<Vec<Webhook>>,
}

impl History {
    /// The payments that clients are done with.
    pub fn payments(&self) -> MutexGuard<'_, Vec<Payment>> {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transactions that their senders are done with.
    pub fn webhooks(&self) -> MutexGuard<'_, Vec<Webhook>> {
        self.webhooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
