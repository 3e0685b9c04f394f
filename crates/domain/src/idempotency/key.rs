//! The key a client chooses to name one intended operation.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sfv::{BareItem, Item, Parser};

use crate::account::AccountId;

/// A client's key: opaque, case-sensitive, 1 to 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    const MAX_LEN: usize = 255;

    /// Reads a key that travels in a body: 1 to 255 printable characters.
    pub fn from_body(raw: &str) -> Result<Self, InvalidIdempotencyKey> {
        if !(1..=Self::MAX_LEN).contains(&raw.chars().count()) {
            return Err(InvalidIdempotencyKey::Length);
        }
        if raw.chars().any(char::is_control) || raw.trim().is_empty() {
            return Err(InvalidIdempotencyKey::Characters);
        }
        Ok(Self(raw.into()))
    }

    /// The key, without the quotes it may have been sent in.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn visible_ascii(raw: &str) -> Result<Self, InvalidIdempotencyKey> {
        if !raw.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidIdempotencyKey::Characters);
        }
        if !(1..=Self::MAX_LEN).contains(&raw.len()) {
            return Err(InvalidIdempotencyKey::Length);
        }
        Ok(Self(raw.into()))
    }
}

/// Reads one `Idempotency-Key` header value: bare (`abc`) or an RFC 8941 string (`"abc"`), which
/// are the same key.
impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        let raw = raw.trim_matches([' ', '\t']);
        if raw.starts_with('"') {
            let item: Item =
                Parser::new(raw).parse().map_err(|_malformed| InvalidIdempotencyKey::Quoting)?;
            return match item.bare_item {
                BareItem::String(key) if item.params.is_empty() => {
                    Self::visible_ascii(key.as_str())
                }
                _ => Err(InvalidIdempotencyKey::Quoting),
            };
        }
        // Proxies join repeated header lines with a comma: that would be another key.
        if raw.contains(',') {
            return Err(InvalidIdempotencyKey::List);
        }
        if raw.contains('"') {
            return Err(InvalidIdempotencyKey::Quoting);
        }
        Self::visible_ascii(raw)
    }
}

/// Why a key is refused; the words are meant for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdempotencyKey {
    /// Empty, or longer than 255 characters.
    #[error("the key must have 1 to 255 characters")]
    Length,
    /// A control character, a space or a character outside ASCII.
    #[error("the key must consist of visible ASCII characters, without spaces")]
    Characters,
    /// Unbalanced quotes, an unknown escape, or parameters behind a quoted key.
    #[error("the key's quotes must be balanced, as in \"abc\" (RFC 8941), or left out")]
    Quoting,
    /// More than one key.
    #[error("send exactly one key; put a key that contains a comma in quotes")]
    List,
}

/// Longer than any order is asked for, and still a time that every store can hold.
const FOR_EVER: Duration = Duration::from_secs(1_000 * 365 * 24 * 3600);

/// Separate sets of keys: a header key and an order of the same spelling do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeySpace {
    /// `Idempotency-Key`, and keys in a body.
    Key,
    /// Order ids; they never expire.
    Order,
}

impl KeySpace {
    /// The name as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Order => "order",
        }
    }

    /// How long a stored answer is replayed, where keys of this set keep it for `retention`.
    pub fn retention(self, retention: Duration) -> Duration {
        match self {
            Self::Key => retention,
            Self::Order => FOR_EVER,
        }
    }

    /// Reads the stored name.
    pub fn from_stored(name: &str) -> Option<Self> {
        [Self::Key, Self::Order].into_iter().find(|space| space.as_str() == name)
    }
}

/// Names one record: the scope of a key is its account and key space.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    /// Whose key it is.
    pub account: AccountId,
    /// Which set of keys it belongs to.
    pub space: KeySpace,
    /// The key.
    pub key: IdempotencyKey,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/…", self.account.as_str(), self.space.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(raw: &str) -> Result<String, InvalidIdempotencyKey> {
        raw.parse::<IdempotencyKey>().map(|key| key.as_str().to_owned())
    }

    #[test]
    fn a_quoted_and_a_bare_key_are_the_same_key() {
        assert_eq!(parse("\"abc\""), Ok("abc".to_owned()));
        assert_eq!(parse("abc"), Ok("abc".to_owned()));
        assert_eq!(parse("  abc\t"), Ok("abc".to_owned()));
    }

    #[test]
    fn escapes_of_a_quoted_key_are_decoded() {
        assert_eq!(parse(r#""a\"b\\c""#), Ok(r#"a"b\c"#.to_owned()));
        assert_eq!(parse(r#""a,b""#), Ok("a,b".to_owned()));
    }

    #[test]
    fn length_is_one_to_255() {
        assert!(parse(&"k".repeat(255)).is_ok());
        assert_eq!(parse(&"k".repeat(256)), Err(InvalidIdempotencyKey::Length));
        assert_eq!(parse(""), Err(InvalidIdempotencyKey::Length));
        assert_eq!(parse("   "), Err(InvalidIdempotencyKey::Length));
        assert_eq!(parse("\"\""), Err(InvalidIdempotencyKey::Length));
    }

    #[test]
    fn bad_quotes_lists_and_characters_are_refused() {
        for raw in
            ["\"abc", "abc\"", "a\"b", r#""a\x""#, "\"abc\";p=1", "\"a\" \"b\"", "\"a\", \"b\""]
        {
            assert_eq!(parse(raw), Err(InvalidIdempotencyKey::Quoting), "{raw}");
        }
        for raw in ["k1, k2", "k1,k2", ","] {
            assert_eq!(parse(raw), Err(InvalidIdempotencyKey::List), "{raw}");
        }
        for raw in ["a b", "a\tb", "\u{7f}", "schlüssel", "\"a b\"", "\u{0}"] {
            assert_eq!(parse(raw), Err(InvalidIdempotencyKey::Characters), "{raw}");
        }
    }

    #[test]
    fn keys_are_case_sensitive() {
        assert_ne!(parse("ABC"), parse("abc"));
    }

    #[test]
    fn a_key_in_a_body_is_1_to_255_printable_characters() {
        assert!(IdempotencyKey::from_body("Schlüssel 7, der zweite").is_ok());
        assert!(IdempotencyKey::from_body(&"ü".repeat(255)).is_ok());
        assert_eq!(IdempotencyKey::from_body(&"ü".repeat(256)), Err(InvalidIdempotencyKey::Length));
        for raw in ["a\u{0}b", "a\nb", "  "] {
            assert_eq!(
                IdempotencyKey::from_body(raw),
                Err(InvalidIdempotencyKey::Characters),
                "{raw:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_accepted_key_is_visible_ascii(raw in "\\PC{0,300}") {
            if let Ok(key) = parse(&raw) {
                prop_assert!((1..=255).contains(&key.len()));
                prop_assert!(key.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
