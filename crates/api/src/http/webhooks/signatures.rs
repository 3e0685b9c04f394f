//! Proves who sent a webhook: the Standard Webhooks scheme, over the body's own bytes.
//!
//! `webhook-signature` holds any number of signatures; one that one of the secrets made is enough,
//! so that sender and receiver can change secrets one after the other.

use actix_web::http::header::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use time::OffsetDateTime;

use crate::http::problem::{Code, Problem};

/// Seconds that the sender's clock and ours may be apart, either way.
const TOLERANCE: u64 = 300;

/// The secrets that a sender may sign with; none means that nobody has to.
#[derive(Debug, Clone, Default)]
pub struct WebhookSignatures(Vec<SecretSlice<u8>>);

/// What a webhook's headers claim.
#[derive(Debug)]
pub struct Signed<'a> {
    id: &'a str,
    timestamp: &'a str,
    signatures: &'a str,
}

impl WebhookSignatures {
    /// Takes the secrets.
    pub fn new(secrets: Vec<SecretSlice<u8>>) -> Self {
        Self(secrets)
    }

    /// Reads the headers of a webhook before its body is; `None` where nobody has to sign.
    pub fn read<'a>(
        &self,
        headers: &'a HeaderMap,
        now: OffsetDateTime,
    ) -> Result<Option<Signed<'a>>, Problem> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let id = only(headers, "webhook-id")?;
        let timestamp = only(headers, "webhook-timestamp")?;
        let signatures = only(headers, "webhook-signature")?;
        let is_number = timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let sent_at = timestamp.parse::<i64>().ok().filter(|_| is_number);
        let sent_at = sent_at
            .ok_or_else(|| refused("The webhook-timestamp header must be seconds since 1970."))?;
        if sent_at.abs_diff(now.unix_timestamp()) > TOLERANCE {
            return Err(refused("The webhook-timestamp header is more than 5 minutes off."));
        }
        Ok(Some(Signed { id, timestamp, signatures }))
    }

    /// Fails unless one of the secrets made one of the signatures for exactly these bytes.
    pub fn verify(&self, signed: &Signed<'_>, body: &[u8]) -> Result<(), Problem> {
        let given = signed.signatures.split(' ').filter_map(|one| one.strip_prefix("v1,"));
        let given: Vec<_> = given.filter_map(|encoded| STANDARD.decode(encoded).ok()).collect();
        let is_signed = self.0.iter().any(|secret| {
            let mac = mac(secret, signed, body);
            // The comparison takes the same time wherever the bytes differ.
            mac.is_some_and(|mac| {
                given.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
            })
        });
        if is_signed {
            return Ok(());
        }
        Err(refused("No signature in the webhook-signature header is one of this body's."))
    }
}

fn mac(secret: &SecretSlice<u8>, signed: &Signed<'_>, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret()).ok()?;
    for part in [signed.id.as_bytes(), b".", signed.timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(mac)
}

/// The one value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Problem> {
    let mut values = headers.get_all(name);
    let value = values.next().and_then(|value| value.to_str().ok());
    match (value, values.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value),
        _ => Err(refused(format!("Send exactly one {name} header, in visible ASCII characters."))),
    }
}

fn refused(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::WebhookNotSigned).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    /// An example of the scheme's authors.
    const SECRET: &str = "C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const AT: i64 = 1_649_367_553;
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn signatures(secrets: &[&str]) -> WebhookSignatures {
        let secrets = secrets.iter().map(|text| STANDARD.decode(text).expect("base64").into());
        WebhookSignatures::new(secrets.collect())
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        });
        pairs.collect()
    }

    fn check(
        signatures: &WebhookSignatures,
        pairs: &[(&'static str, &str)],
        seconds_later: i64,
        body: &[u8],
    ) -> Result<(), String> {
        let now = OffsetDateTime::from_unix_timestamp(AT + seconds_later).expect("a time");
        let headers = headers(pairs);
        let checked = match signatures.read(&headers, now) {
            Ok(Some(signed)) => signatures.verify(&signed, body),
            Ok(None) => Ok(()),
            Err(problem) => Err(problem),
        };
        checked.map_err(|problem| {
            assert_eq!(problem.status(), 401, "{problem}");
            problem.detail_text().to_owned()
        })
    }

    fn signed_by(signature: &str) -> [(&'static str, &str); 3] {
        [("webhook-id", ID), ("webhook-timestamp", "1649367553"), ("webhook-signature", signature)]
    }

    #[test]
    fn the_example_of_the_schemes_authors_is_accepted() {
        assert_eq!(check(&signatures(&[SECRET]), &signed_by(SIGNATURE), 0, BODY), Ok(()));
    }

    #[test]
    fn one_right_signature_among_others_is_enough_under_any_active_secret() {
        let other = STANDARD.encode([7; 24]);
        let many = format!("v1,AAAA v1a,{other} v2,x nonsense {SIGNATURE} v1,");
        for secrets in [&[SECRET][..], &[other.as_str(), SECRET], &[SECRET, other.as_str()]] {
            for signature in [SIGNATURE, many.as_str()] {
                let checked = check(&signatures(secrets), &signed_by(signature), 0, BODY);
                assert_eq!(checked, Ok(()), "{signature}");
            }
        }
        assert!(check(&signatures(&[&other]), &signed_by(SIGNATURE), 0, BODY).is_err());
    }

    #[test]
    fn a_signature_that_is_not_exactly_right_is_refused() {
        let one = signatures(&[SECRET]);
        let other_scheme = SIGNATURE.replace("v1,", "v0,");
        for signature in [
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkg=",
            "v1,tZ1I4/hD",
            "v1,",
            "v1",
            "tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            "v1,not base64",
            &other_scheme,
        ] {
            assert!(check(&one, &signed_by(signature), 0, BODY).is_err(), "{signature}");
        }
        let respelled = br#"{"email": "test@example.com","username":"test_user"}"#;
        assert!(check(&one, &signed_by(SIGNATURE), 0, respelled).is_err());
        for (place, value) in [(0, "msg_other"), (1, "1649367554")] {
            let mut pairs = signed_by(SIGNATURE);
            pairs[place].1 = value;
            assert!(check(&one, &pairs, 0, BODY).is_err(), "{value}");
        }
    }

    #[test]
    fn a_time_may_be_five_minutes_off_either_way_and_not_a_second_more() {
        let one = signatures(&[SECRET]);
        for (off, is_accepted) in
            [(299, true), (300, true), (301, false), (-299, true), (-300, true), (-301, false)]
        {
            let checked = check(&one, &signed_by(SIGNATURE), off, BODY);
            assert_eq!(checked.is_ok(), is_accepted, "{off}: {checked:?}");
        }
    }

    #[test]
    fn a_header_that_is_missing_malformed_or_repeated_is_named() {
        let one = signatures(&[SECRET]);
        for (place, name) in
            ["webhook-id", "webhook-timestamp", "webhook-signature"].into_iter().enumerate()
        {
            let all = signed_by(SIGNATURE);
            let mut without = all.to_vec();
            without.remove(place);
            let mut empty = all;
            empty[place].1 = "";
            for pairs in [&without[..], &empty] {
                let refused = check(&one, pairs, 0, BODY).expect_err("it is not signed");
                assert!(refused.contains(name), "{refused}");
            }
            let mut twice = headers(&all);
            twice.append(HeaderName::from_static(name), HeaderValue::from_static("1649367553"));
            let now = OffsetDateTime::from_unix_timestamp(AT).expect("a time");
            assert!(one.read(&twice, now).is_err(), "{name} is there twice");
        }
        for timestamp in [
            "",
            "now",
            "1649367553.0",
            "+1649367553",
            " ",
            "-9223372036854775808",
            "99999999999999999999",
        ] {
            let mut pairs = signed_by(SIGNATURE);
            pairs[1].1 = timestamp;
            let refused = check(&one, &pairs, 0, BODY).expect_err("it is no time");
            assert!(refused.contains("webhook-timestamp"), "{refused}");
        }
    }

    #[test]
    fn without_secrets_nobody_has_to_sign() {
        assert_eq!(check(&signatures(&[]), &[], 0, BODY), Ok(()));
        assert_eq!(check(&signatures(&[]), &signed_by("v1,AAAA"), 9_999, BODY), Ok(()));
    }
}
