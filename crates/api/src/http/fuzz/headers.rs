//! Headers: keys, preferences, and who signed a webhook. In a corpus each line is a header line.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use payonce_domain::idempotency::IdempotencyKey;
use payonce_fuzzing::every_input;
use sha2::Sha256;
use time::OffsetDateTime;

use crate::http::key_header::KeyHeader;
use crate::http::preferences::Preferences;
use crate::http::webhooks::WebhookSignatures;

/// A header with each line that the framework would let through.
fn header(name: &'static str, input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    headers
}

#[test]
fn a_key_is_one_line_and_its_echo_is_what_was_sent() {
    every_input!("key_lines", |input: &[u8]| {
        let headers = header("idempotency-key", input);
        let lines: Vec<_> = headers.get_all("idempotency-key").collect();
        let text = lines.first().and_then(|line| line.to_str().ok());
        let key = text.and_then(|text| text.parse::<IdempotencyKey>().ok());
        match KeyHeader::read(&headers) {
            Ok(read) => {
                assert_eq!(lines.len(), 1);
                assert_eq!(read.echo, lines[0]);
                assert_eq!(Some(read.key), key);
            }
            Err(problem) => {
                assert!(key.is_none() || lines.len() > 1, "{problem}");
                assert_eq!(problem.status(), 400);
                let code = if lines.is_empty() { "missing" } else { "invalid" };
                assert_eq!(problem.code(), format!("idempotency_key_{code}"));
            }
        }
    });
}

#[test]
fn a_preference_is_the_same_in_capitals_and_over_several_lines() {
    every_input!("prefer", |input: &[u8]| {
        let one = Preferences::read(&header("prefer", input));
        assert_eq!(one, Preferences::read(&header("prefer", &input.to_ascii_uppercase())));
        let text = String::from_utf8_lossy(input);
        if one.respond_async {
            assert!(text.to_ascii_lowercase().contains("respond-async"), "{text}");
        }
        if let Some(wait) = one.wait {
            assert!(text.contains(&wait.as_secs().to_string()), "{text} is no {wait:?}");
        }
    });
}

const SECRET: &[u8] = b"what only the sender and this service know";
const ID: &str = "msg_1";
const NOW: i64 = 1_800_000_000;

fn signature(timestamp: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("any length");
    mac.update(format!("{ID}.{timestamp}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// Whether a webhook passes.
fn passes(timestamp: &[u8], signatures: &[u8], body: &[u8]) -> bool {
    let known = WebhookSignatures::new(vec![SECRET.to_vec().into()]);
    let mut headers = header("webhook-signature", signatures);
    headers.insert(HeaderName::from_static("webhook-id"), HeaderValue::from_static(ID));
    if let Ok(timestamp) = HeaderValue::from_bytes(timestamp) {
        headers.insert(HeaderName::from_static("webhook-timestamp"), timestamp);
    }
    let now = OffsetDateTime::from_unix_timestamp(NOW).expect("a time");
    let signed = known.read(&headers, now);
    let refused = match signed {
        Ok(Some(signed)) => known.verify(&signed, body),
        Ok(None) => panic!("somebody has to sign"),
        Err(problem) => Err(problem),
    };
    refused.inspect_err(|problem| assert_eq!(problem.status(), 401, "{problem}")).is_ok()
}

/// A corpus file is the timestamp, the signatures and the body, a line each.
#[test]
fn only_who_knows_the_secret_passes_and_only_with_the_very_bytes() {
    every_input!("webhook_signature", |input: &[u8]| {
        let mut lines = input.splitn(3, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let (timestamp, signatures, body) = (line(), line(), line());
        let text = std::str::from_utf8(timestamp).unwrap_or_default();
        let is_in_time = text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<i64>().is_ok_and(|at| at.abs_diff(NOW) <= 300);
        let right = STANDARD.encode(signature(text, body));
        let is_signed = signatures
            .split(|byte| *byte == b' ')
            .any(|one| one.strip_prefix(b"v1,").is_some_and(|one| one == right.as_bytes()));
        let is_line = HeaderValue::from_bytes(signatures).is_ok_and(|it| it.to_str().is_ok());
        assert_eq!(passes(timestamp, signatures, body), is_in_time && is_signed && is_line);

        // Whatever else stands there, one good signature is enough, and only for this body.
        if is_in_time && is_line {
            let with = |right: &str| [signatures, b" v1,", right.as_bytes()].concat();
            assert!(passes(timestamp, &with(&right), body));
            assert!(!passes(timestamp, format!("v1,{right}").as_bytes(), &[body, b" "].concat()));
            let older = (NOW - 301).to_string();
            let late = STANDARD.encode(signature(&older, body));
            assert!(!passes(older.as_bytes(), &with(&late), body));
        }
    });
}
