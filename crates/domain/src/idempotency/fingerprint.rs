//! What makes two requests under one key "the same request".
//!
//! A fingerprint is taken of the parsed, normalised command, never of the body's bytes: order of
//! members, white space and `100` against `100.00` do not matter, every field does.

use std::borrow::Cow;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// One field of a command in its canonical spelling; `None` when it was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name that a client knows it by.
    pub name: &'static str,
    /// Its only spelling.
    pub value: Option<Cow<'a, str>>,
}

impl<'a> Field<'a> {
    /// A field with a value.
    pub fn with(name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        Self { name, value: Some(value.into()) }
    }

    /// A field that may have been left out.
    pub fn optional(name: &'static str, value: Option<&'a str>) -> Self {
        Self { name, value: value.map(Cow::Borrowed) }
    }
}

/// A digest of a command, with the version of the rule that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Which rule; see [`Fingerprint::CURRENT_VERSION`].
    pub version: i16,
    /// SHA-256.
    pub digest: Arc<[u8]>,
}

impl Fingerprint {
    /// The rule that this build uses and the only one that it can compare.
    pub const CURRENT_VERSION: i16 = 1;

    /// Version 1: SHA-256 over each field's name and value, each with its length before it.
    pub fn of(fields: &[Field<'_>]) -> Self {
        let mut hash = Sha256::new();
        let mut update = |part: &str| {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        };
        for field in fields {
            update(field.name);
            match &field.value {
                Some(value) => {
                    update("some");
                    update(value);
                }
                None => update("none"),
            }
        }
        Self { version: Self::CURRENT_VERSION, digest: hash.finalize().as_slice().into() }
    }

    /// Whether this build knows the rule that made it.
    pub fn is_comparable(&self) -> bool {
        self.version == Self::CURRENT_VERSION
    }
}

/// The names, never the values, of the fields that differ.
pub fn differing_fields(stored: &[Field<'_>], sent: &[Field<'_>]) -> Vec<&'static str> {
    let mut names: Vec<_> = stored.iter().chain(sent).map(|field| field.name).collect();
    names.dedup();
    let mut differing: Vec<&'static str> = Vec::new();
    for name in names {
        if value(stored, name) != value(sent, name) && !differing.contains(&name) {
            differing.push(name);
        }
    }
    differing
}

fn value<'f>(fields: &'f [Field<'_>], name: &str) -> Option<Option<&'f str>> {
    fields.iter().find(|field| field.name == name).map(|field| field.value.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_its_absence_count() {
        let one = Fingerprint::of(&[Field::optional("a", Some("1")), Field::optional("b", None)]);
        assert_eq!(
            one,
            Fingerprint::of(&[Field::optional("a", Some("1")), Field::optional("b", None)])
        );
        for other in [
            vec![Field::optional("a", Some("2")), Field::optional("b", None)],
            vec![Field::optional("a", Some("1")), Field::optional("b", Some(""))],
            vec![Field::optional("a", Some("1")), Field::optional("b", Some("none"))],
            vec![Field::optional("a", Some("1")), Field::optional("c", None)],
            vec![Field::optional("a", Some("1b")), Field::optional("", None)],
        ] {
            assert_ne!(one, Fingerprint::of(&other), "{other:?}");
        }
    }

    #[test]
    fn version_1_never_changes() {
        let digest =
            Fingerprint::of(&[Field::optional("a", Some("1")), Field::optional("b", None)]).digest;
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "047863b2bddb2f06232eca4f7a4a4da510c60775c41449c63df14b7712e97563");
    }

    #[test]
    fn differing_fields_are_named_once_each() {
        let stored = [
            Field::optional("operation", Some("x")),
            Field::optional("amount", Some("1")),
            Field::optional("note", None),
        ];
        let sent = [
            Field::optional("operation", Some("x")),
            Field::optional("amount", Some("2")),
            Field::optional("other", None),
        ];
        assert_eq!(differing_fields(&stored, &sent), ["amount", "note", "other"]);
        assert!(differing_fields(&stored, &stored).is_empty());
    }
}
