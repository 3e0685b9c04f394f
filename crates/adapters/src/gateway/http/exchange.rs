//! One request and what comes back, read within bounds.

use std::error::Error;
use std::time::Duration;

use payonce_domain::failpoints::reach;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};

use super::trace;

/// The longest body that is read.
const BODY_LIMIT: usize = 64 * 1024;
/// Longer than any caller waits between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);
/// Enough to tell what went wrong.
const REASON_LIMIT: usize = 200;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub is_json: bool,
    pub body: Vec<u8>,
}

/// No whole answer.
#[derive(Debug)]
pub enum Failure {
    /// No connection came about: not a byte of the request was sent.
    NotSent(String),
    /// Anything may have happened.
    Broken(String),
}

/// Sends a request and reads its answer.
pub async fn run(request: RequestBuilder) -> Result<Answer, Failure> {
    let response = request.headers(trace::headers()).send().await.map_err(|error| {
        let reason = in_words(&error);
        if error.is_connect() { Failure::NotSent(reason) } else { Failure::Broken(reason) }
    })?;
    reach("after_send");
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let is_json = is_json(response.headers());
    let body =
        read(response).await.map_err(|reason| Failure::Broken(format!("{status}: {reason}")))?;
    Ok(Answer { status, retry_after, is_json, body })
}

async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| in_words(&error))? {
        if body.len().saturating_add(chunk.len()) > BODY_LIMIT {
            return Err(format!("a body of more than {BODY_LIMIT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Only seconds: a date would have to be compared with this machine's time of day.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// An error with its causes, fit for a timeline.
pub fn in_words(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    // The outermost words are the library's and name the URL, which the payment has already.
    let mut next = error.source();
    while let Some(cause) = next {
        words.push(cause.to_string());
        next = cause.source();
    }
    words.dedup();
    let words = words.join(": ");
    words.chars().filter(|character| !character.is_control()).take(REASON_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_pause_is_read_in_seconds_and_bounded() {
        let pause = |value| retry_after(&with(RETRY_AFTER, value));
        assert_eq!(pause("3"), Some(Duration::from_secs(3)));
        assert_eq!(pause("18446744073709551615"), Some(LONGEST_PAUSE));
        for unread in ["-1", "1.5", "soon", "", "Sat, 21 Nov 2026 12:00:00 GMT"] {
            assert_eq!(pause(unread), None, "{unread}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn only_json_is_json() {
        for value in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(is_json(&with(CONTENT_TYPE, value)), "{value}");
        }
        for value in ["text/html", "application/jsonp", "application/problem+json", ""] {
            assert!(!is_json(&with(CONTENT_TYPE, value)), "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
