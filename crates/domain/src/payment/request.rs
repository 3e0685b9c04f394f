//! The normalised command behind a payment.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::idempotency::{Field, Fingerprint};
use crate::money::Money;
use crate::text::{InvalidText, Text};

/// An opaque token that names how the payer pays.
pub type PaymentMethod = Text<1, 255>;
/// The client's own name for the payment.
pub type Reference = Text<1, 255>;
/// Free text.
pub type Description = Text<0, 1000>;

/// Which operation a key was used for; two operations never share a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The canonical payment, under each of its paths.
    CreatePayment,
    /// A payment whose key stays open until it succeeds.
    Pay,
    /// The payment of an order.
    StartPayment,
}

/// What becomes of a payment whose attempts all failed and that the gateway does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// It is voided.
    Void,
    /// It is left for its client's next try where nothing got through to the gateway, else voided.
    OpenIfUnreachable,
    /// It is left for its client's next try.
    Open,
}

impl Operation {
    const ALL: [Self; 3] = [Self::CreatePayment, Self::Pay, Self::StartPayment];

    /// What becomes of its payment when every attempt failed.
    pub fn failure_policy(self) -> FailurePolicy {
        match self {
            Self::CreatePayment => FailurePolicy::Void,
            Self::Pay => FailurePolicy::Open,
            Self::StartPayment => FailurePolicy::OpenIfUnreachable,
        }
    }

    /// The name as stored and fingerprinted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatePayment => "create_payment",
            Self::Pay => "pay",
            Self::StartPayment => "start_payment",
        }
    }

    /// Reads the stored name.
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }
}

/// At most 50 pairs of a client's own texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    const MAX_PAIRS: usize = 50;

    /// Checks number and size of the pairs.
    pub fn parse(pairs: BTreeMap<String, String>) -> Result<Self, InvalidMetadata> {
        if pairs.len() > Self::MAX_PAIRS {
            return Err(InvalidMetadata::TooMany);
        }
        for (key, value) in &pairs {
            Text::<1, 40>::parse(key.as_str()).map_err(InvalidMetadata::Key)?;
            Text::<0, 500>::parse(value.as_str()).map_err(InvalidMetadata::Value)?;
        }
        Ok(Self(pairs))
    }

    /// The pairs, ordered by key.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Why metadata is refused; the words are meant for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// More pairs than allowed.
    #[error("must have at most 50 pairs")]
    TooMany,
    /// A key breaks its rule.
    #[error("a key {0}")]
    Key(InvalidText),
    /// A value breaks its rule.
    #[error("a value {0}")]
    Value(InvalidText),
}

/// What a client asked for, in its only spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRequest {
    /// Under which operation.
    pub operation: Operation,
    /// How much.
    pub money: Money,
    /// By what means; the gateway's default when left out.
    pub payment_method: Option<PaymentMethod>,
    /// The client's own name for it.
    pub reference: Option<Reference>,
    /// Free text.
    pub description: Option<Description>,
    /// The client's own pairs.
    pub metadata: Metadata,
}

impl PaymentRequest {
    /// Every field in its canonical spelling, for the fingerprint and for naming differences.
    pub fn fields(&self) -> [Field<'_>; 7] {
        let pair = |(key, value): (&String, &String)| {
            format!("{}:{key}{}:{value}", key.len(), value.len())
        };
        let metadata: String = self.metadata.pairs().iter().map(pair).collect();
        let currency = self.money.currency();
        [
            Field::with("operation", self.operation.as_str()),
            Field::with("amount", self.money.minor().to_string()),
            Field::with("currency", currency.code()),
            Field::optional("payment_method", self.payment_method.as_ref().map(Text::as_str)),
            Field::optional("reference", self.reference.as_ref().map(Text::as_str)),
            Field::optional("description", self.description.as_ref().map(Text::as_str)),
            Field::with("metadata", metadata),
        ]
    }

    /// The digest by which a repeat is recognised.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.fields())
    }
}

/// A request with its fingerprint, taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FingerprintedRequest {
    request: PaymentRequest,
    fingerprint: Fingerprint,
}

impl FingerprintedRequest {
    /// The request's fingerprint.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl From<PaymentRequest> for FingerprintedRequest {
    fn from(request: PaymentRequest) -> Self {
        Self { fingerprint: request.fingerprint(), request }
    }
}

impl Deref for FingerprintedRequest {
    type Target = PaymentRequest;

    fn deref(&self) -> &PaymentRequest {
        &self.request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> PaymentRequest {
        PaymentRequest {
            operation: Operation::CreatePayment,
            money: Money::parse("100", "USD".parse().expect("known")).expect("valid"),
            payment_method: None,
            reference: None,
            description: None,
            metadata: Metadata::default(),
        }
    }

    fn metadata(pairs: &[(&str, &str)]) -> Metadata {
        let pairs = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
        Metadata::parse(pairs.collect()).expect("valid")
    }

    #[test]
    fn each_field_changes_the_fingerprint() {
        let usd = request();
        let others = [
            PaymentRequest {
                money: Money::parse("200", "USD".parse().expect("known")).expect("valid"),
                ..request()
            },
            PaymentRequest {
                money: Money::parse("100", "EUR".parse().expect("known")).expect("valid"),
                ..request()
            },
            PaymentRequest { payment_method: Text::parse("tok").ok(), ..request() },
            PaymentRequest { reference: Text::parse("r").ok(), ..request() },
            PaymentRequest { description: Text::parse("").ok(), ..request() },
            PaymentRequest { metadata: metadata(&[("a", "b")]), ..request() },
        ];
        for other in others {
            assert_ne!(usd.fingerprint(), other.fingerprint(), "{other:?}");
        }
        assert_eq!(usd.fingerprint(), request().fingerprint());
    }

    #[test]
    fn metadata_pairs_cannot_run_into_each_other() {
        let one = PaymentRequest { metadata: metadata(&[("a", "b1:c"), ("d", "")]), ..request() };
        let two = PaymentRequest { metadata: metadata(&[("a", "b"), ("c", "d")]), ..request() };
        assert_ne!(one.fingerprint(), two.fingerprint());
    }

    #[test]
    fn metadata_has_limits() {
        let many = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(Metadata::parse(many), Err(InvalidMetadata::TooMany));
        let long = BTreeMap::from([("k".to_owned(), "v".repeat(501))]);
        assert!(matches!(Metadata::parse(long), Err(InvalidMetadata::Value(_))));
        let nul = BTreeMap::from([("a\u{0}".to_owned(), String::new())]);
        assert_eq!(Metadata::parse(nul), Err(InvalidMetadata::Key(InvalidText::Control)));
    }
}
