//! Idempotency keys and API keys.

use payonce_domain::api_key::{KeyPrefix, PresentedKey};
use payonce_domain::idempotency::IdempotencyKey;
use payonce_fuzzing::every_input;

#[test]
fn a_header_key_has_one_meaning_in_every_spelling() {
    every_input!("idempotency_key_header", |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let Ok(key) = text.parse::<IdempotencyKey>() else { return };
        let is_quoted = text.trim_matches([' ', '\t']).starts_with('"');
        assert!(is_quoted || !text.contains([',', '"']), "{text:?} is a list, or half quoted");
        let raw = key.as_str();
        assert!((1..=255).contains(&raw.len()), "{raw:?}");
        assert!(raw.bytes().all(|byte| byte.is_ascii_graphic()), "{raw:?}");
        let quoted = format!("\"{}\"", raw.replace('\\', "\\\\").replace('"', "\\\""));
        assert_eq!(quoted.parse().as_ref(), Ok(&key), "{text:?}");
        assert_eq!(format!(" \t{quoted} ").parse().as_ref(), Ok(&key), "{text:?}");
        if !raw.contains([',', '"']) {
            assert_eq!(raw.parse().as_ref(), Ok(&key), "{text:?}");
        }
        // A body's key is not the header's text but its meaning.
        assert_eq!(IdempotencyKey::from_body(raw), Ok(key), "{text:?}");
    });
}

#[test]
fn a_body_key_is_kept_as_it_was_sent() {
    every_input!("idempotency_key_body", |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let is_fit = (1..=255).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && !text.trim().is_empty();
        let key = IdempotencyKey::from_body(text).ok();
        assert_eq!(key.as_ref().map(IdempotencyKey::as_str), is_fit.then_some(text));
    });
}

#[test]
fn an_api_key_is_recognised_by_all_of_its_text_and_never_prints() {
    every_input!("api_key", |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let presented = PresentedKey::of(text);
        let Some(prefix) = &presented.prefix else {
            // What is no key may still be the beginning of one, which names it and proves nothing.
            let named = KeyPrefix::parse(text).ok();
            assert!(named.is_none_or(|named| named.as_str() == text), "{text:?}");
            return;
        };
        assert_eq!(text.len(), 58, "{text:?}");
        assert!(text.starts_with(prefix.as_str()), "{text:?}");
        assert_eq!(KeyPrefix::parse(text).as_ref(), Ok(prefix));
        assert_eq!(KeyPrefix::parse(prefix.as_str()).as_ref(), Ok(prefix));
        assert!(!format!("{presented:?}").contains(&text[20..]), "{text:?}");
        for (at, _) in text.char_indices() {
            let shortened = [&text[..at], &text[at + 1..]].concat();
            assert_eq!(PresentedKey::of(&shortened).prefix, None, "{shortened:?}");
        }
        for other in [format!(" {text}"), format!("{text}\0"), text.to_uppercase()] {
            assert_eq!(PresentedKey::of(&other).prefix, None, "{other:?}");
        }
    });
}
