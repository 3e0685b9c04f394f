//! What a key looks like: `po_live_` or `po_test_`, 44 digits of base 62 that stand for 32 random
//! bytes, and 6 more that check them.
//!
//! Whoever scans texts for keys that leaked recognises one by its beginning and its check digits,
//! and a mistyped key is refused without asking the store.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::account::Mode;

const LIVE: &str = "po_live_";
const TEST: &str = "po_test_";

/// Digits that name a key, and may be shown.
const NAMING: usize = 12;
/// Digits of each half of the random bytes.
const HALF: usize = 22;
/// Digits of a CRC-32.
const CHECK: usize = 6;

/// The beginning of a key, which names it. It proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    const LENGTH: usize = LIVE.len() + NAMING;

    /// Reads the beginning of a key, or a whole one.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyPrefix> {
        if let Some(prefix) = PresentedKey::of(text).prefix {
            return Ok(prefix);
        }
        let digits = text.strip_prefix(LIVE).or_else(|| text.strip_prefix(TEST));
        let is_prefix = digits.is_some_and(|digits| digits.len() == NAMING && is_base62(digits));
        if is_prefix { Ok(Self(text.to_owned())) } else { Err(InvalidKeyPrefix) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For which mode the key is.
    pub fn mode(&self) -> Mode {
        if self.0.starts_with(TEST) { Mode::Test } else { Mode::Live }
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no beginning of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the beginning of a key is po_live_ or po_test_ and 12 letters and digits")]
pub struct InvalidKeyPrefix;

/// The SHA-256 of a whole key. A key has 32 random bytes: nothing slower is needed.
#[derive(Clone, Copy, Eq)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

/// Takes the same time whatever differs.
impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(***)")
    }
}

/// A key that was just made: the only time that it is there to be shown.
#[derive(Debug)]
pub struct NewSecret {
    /// The whole key.
    pub text: SecretString,
    /// Its beginning.
    pub prefix: KeyPrefix,
    /// Its hash.
    pub hash: KeyHash,
}

impl NewSecret {
    /// Spells random bytes as a key.
    pub fn new(mode: Mode, random: [u8; 32]) -> Self {
        let start = match mode {
            Mode::Live => LIVE,
            Mode::Test => TEST,
        };
        let number = u128::from_be_bytes;
        let (mut first, mut second) = ([0; 16], [0; 16]);
        first.copy_from_slice(&random[..16]);
        second.copy_from_slice(&random[16..]);
        let (first, second) = (base62::encode(number(first)), base62::encode(number(second)));
        let body = format!("{start}{first:0>HALF$}{second:0>HALF$}");
        let prefix = body.chars().take(KeyPrefix::LENGTH).collect();
        let text = format!("{body}{}", check_digits(&body));
        let hash = KeyHash::of(&text);
        Self { text: text.into(), prefix: KeyPrefix(prefix), hash }
    }

    /// The whole key, to be shown once.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

fn check_digits(body: &str) -> String {
    format!("{:0>CHECK$}", base62::encode(crc32fast::hash(body.as_bytes())))
}

fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What somebody presents as a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedKey {
    /// Which key it may be; `None` where no key looks like that.
    pub prefix: Option<KeyPrefix>,
    /// The hash of whatever was presented.
    pub hash: KeyHash,
}

impl PresentedKey {
    /// Reads any text; one that cannot be a key costs as much.
    pub fn of(text: &str) -> Self {
        let hash = KeyHash::of(text);
        let digits = text.strip_prefix(LIVE).or_else(|| text.strip_prefix(TEST));
        let is_spelled =
            digits.is_some_and(|digits| digits.len() == HALF + HALF + CHECK && is_base62(digits));
        let body = text.get(..text.len().saturating_sub(CHECK)).filter(|_| is_spelled);
        let is_checked = body.is_some_and(|body| text.ends_with(&check_digits(body)));
        let prefix = text.get(..KeyPrefix::LENGTH).filter(|_| is_checked);
        Self { prefix: prefix.map(|prefix| KeyPrefix(prefix.to_owned())), hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(mode: Mode, random: [u8; 32]) -> String {
        NewSecret::new(mode, random).expose().to_owned()
    }

    #[test]
    fn a_key_is_its_mode_its_digits_and_their_check() {
        let key = NewSecret::new(Mode::Live, [0; 32]);
        let body = format!("po_live_{}", "0".repeat(44));
        assert_eq!(key.expose(), format!("{body}{}", check_digits(&body)));
        assert_eq!(key.prefix.as_str(), "po_live_000000000000");
        assert_eq!(key.prefix.mode(), Mode::Live);
        let key = NewSecret::new(Mode::Test, [0xff; 32]);
        assert!(key.expose().starts_with("po_test_7n42DGM5Tflk"), "{}", key.expose());
        assert_eq!((key.expose().len(), key.prefix.mode()), (58, Mode::Test));
    }

    #[test]
    fn neither_a_key_nor_its_hash_prints() {
        let key = NewSecret::new(Mode::Live, [7; 32]);
        let printed = format!("{key:?} {:?}", PresentedKey::of(key.expose()));
        assert!(!printed.contains(&key.expose()[20..]), "{printed}");
        assert!(printed.contains("KeyHash(***)"), "{printed}");
    }

    #[test]
    fn what_is_no_key_is_told_without_asking_anybody() {
        let good = key(Mode::Live, [9; 32]);
        let other_mode = good.replace("live", "test");
        for text in ["", "po_live_", "po_live_abc", &good[1..], &good[..57], &other_mode, "é"] {
            assert_eq!(PresentedKey::of(text).prefix, None, "{text}");
        }
        assert_eq!(PresentedKey::of(&format!("{good} ")).prefix, None);
    }

    #[test]
    fn a_prefix_is_read_from_itself_and_from_a_whole_key() {
        let secret = NewSecret::new(Mode::Test, [3; 32]);
        let prefix = Ok(secret.prefix.clone());
        assert_eq!(KeyPrefix::parse(secret.prefix.as_str()), prefix);
        assert_eq!(KeyPrefix::parse(secret.expose()), prefix);
        for text in ["", "po_test_", "po_test_0000000000000", "po_prod_000000000000", "all"] {
            assert_eq!(KeyPrefix::parse(text), Err(InvalidKeyPrefix), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_key_is_recognised_and_every_mistyped_one_is_not(
            random: [u8; 32],
            at in 8_usize..58,
            digit in "[0-9A-Za-z]",
        ) {
            let key = NewSecret::new(Mode::Live, random);
            let presented = PresentedKey::of(key.expose());
            prop_assert_eq!(presented.prefix.as_ref(), Some(&key.prefix));
            prop_assert_eq!(presented.hash, key.hash);
            let mut mistyped = key.expose().to_owned();
            mistyped.replace_range(at..=at, &digit);
            if mistyped != key.expose() {
                prop_assert_eq!(PresentedKey::of(&mistyped).prefix, None);
                prop_assert!(PresentedKey::of(&mistyped).hash != key.hash);
            }
        }
    }
}
