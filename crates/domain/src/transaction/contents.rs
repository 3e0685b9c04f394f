//! What a transaction is, and when two announcements of one are the same.

use std::fmt;

use crate::account::AccountId;
use crate::idempotency::Field;
use crate::money::Money;
use crate::text::{InvalidText, Text};

/// The sender's own name of a transaction: 1 to 255 printable characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(Text<1, 255>);

impl TransactionId {
    /// Checks length and characters.
    pub fn parse(raw: impl AsRef<str>) -> Result<Self, InvalidText> {
        Text::parse(raw).map(Self)
    }

    /// The id, as sent.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<Text<1, 255>> for TransactionId {
    fn from(text: Text<1, 255>) -> Self {
        Self(text)
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one transaction; ids of different accounts never meet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionKey {
    /// Whose transaction it is.
    pub account: AccountId,
    /// Which of them.
    pub id: TransactionId,
}

/// One end of a transaction, in the sender's books.
pub type AccountName = Text<1, 255>;

/// What a transaction is about; it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionContents {
    /// Where the money comes from.
    pub source_account: AccountName,
    /// Where it goes.
    pub destination_account: AccountName,
    /// How much.
    pub money: Money,
}

impl TransactionContents {
    /// Every field in its only spelling, for naming differences.
    pub fn fields(&self) -> [Field<'_>; 4] {
        [
            Field::with("source_account", self.source_account.as_str()),
            Field::with("destination_account", self.destination_account.as_str()),
            Field::with("amount", self.money.minor().to_string()),
            Field::with("currency", self.money.currency().code()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idempotency::differing_fields;

    fn contents(source: &str, destination: &str, amount: &str, code: &str) -> TransactionContents {
        TransactionContents {
            source_account: Text::parse(source).expect("valid"),
            destination_account: Text::parse(destination).expect("valid"),
            money: Money::parse(amount, code.parse().expect("known")).expect("valid"),
        }
    }

    #[test]
    fn contents_are_the_same_when_no_field_differs_and_each_field_counts() {
        let one = contents("a", "b", "1500", "INR");
        assert_eq!(one, contents("a", "b", "1500.00", "INR"));
        for (other, field) in [
            (contents("x", "b", "1500", "INR"), "source_account"),
            (contents("a", "x", "1500", "INR"), "destination_account"),
            (contents("a", "b", "1501", "INR"), "amount"),
            (contents("a", "b", "1500", "EUR"), "currency"),
        ] {
            assert_ne!(one, other);
            assert_eq!(differing_fields(&one.fields(), &other.fields()), [field]);
        }
    }

    #[test]
    fn an_id_has_1_to_255_printable_characters() {
        for id in ["a", "txn_abc123", "a b/c", "ä", "x".repeat(255).as_str()] {
            assert_eq!(TransactionId::parse(id).expect(id).as_str(), id);
        }
        for id in ["", "a\nb", "a\u{0}", "x".repeat(256).as_str()] {
            assert!(TransactionId::parse(id).is_err(), "{id:?}");
        }
    }
}
