//! One request for a payment, and what its answer means to the client. It must know nothing of what is
//! done next.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;
use url::Url;

use crate::Failure;

/// How long one answer is waited for: longer than a service takes that ends its requests in time.
const ANSWER: Duration = Duration::from_secs(40);
/// A pause that is longer is not what a client waits for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A service, and how it is asked.
#[derive(Debug, Clone)]
pub struct Service {
    http: reqwest::Client,
    payments: Url,
    authorization: Option<String>,
}

/// The end of a payment, as one request was told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Final {
    /// The status.
    pub status: u16,
    /// The media type.
    pub content_type: String,
    /// Where the payment is.
    pub location: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A final answer, and whether it had been given before.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The answer.
    pub last: Final,
    /// Whether it is a repeat of a stored one.
    pub is_replay: bool,
}

/// Why a request did not bring the end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Trouble {
    /// What it is.
    pub kind: Kind,
    /// How long the service asks to wait.
    pub pause: Option<Duration>,
}

/// What a request that did not bring the end met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// It is stored, and settled later.
    #[error("accepted (202)")]
    Accepted,
    /// Another request with the key is under way.
    #[error("in use (409)")]
    InUse,
    /// Asked too often.
    #[error("too often (429)")]
    TooOften,
    /// Not now.
    #[error("unavailable (503)")]
    Unavailable,
    /// Anything may have happened.
    #[error("failed ({0})")]
    Failed(u16),
    /// No whole answer came.
    #[error("no answer")]
    Nothing,
    /// The key stands for another request.
    #[error("refused for another request's key (422)")]
    OtherRequest,
    /// What nobody may be told here.
    #[error("a strange answer ({0})")]
    Strange(String),
}

impl Kind {
    /// Whether the same request may have another answer later.
    pub fn passes(&self) -> bool {
        !matches!(self, Self::OtherRequest | Self::Strange(_))
    }
}

impl Service {
    /// The service at that address.
    pub fn new(base: &Url, api_key: Option<&str>) -> Result<Self, Failure> {
        let http = client(ANSWER)?;
        let authorization = api_key.map(|key| format!("Bearer {key}"));
        Ok(Self { http, payments: below(base, "v1/payments"), authorization })
    }

    /// Whether it is there and lets these clients in.
    pub async fn check(&self) -> Result<(), Failure> {
        let mut first_page = self.payments.clone();
        first_page.set_query(Some("limit=1"));
        let request = self.authorized(self.http.get(first_page));
        let answer = request.send().await.map_err(|error| {
            Failure::failed(&format!("{} does not answer", self.payments), error)
        })?;
        match answer.status().as_u16() {
            200 => Ok(()),
            401 | 403 => Err(Failure::Usage(
                "the service lets nobody in without a key that may write: give --api-key"
                    .to_owned(),
            )),
            status => Err(Failure::Failed(format!("{} answers {status}", self.payments))),
        }
    }

    /// Asks for a payment once; the request is broken off after that time, if one is given.
    pub async fn pay(
        &self,
        key: &str,
        body: &str,
        is_waiting: bool,
        broken_off_after: Option<Duration>,
    ) -> Result<Answer, Trouble> {
        let request = self.http.post(self.payments.clone()).header("Idempotency-Key", key);
        let request = match is_waiting {
            true => request,
            false => request.header("Prefer", "respond-async"),
        };
        let request = self.authorized(request).header(CONTENT_TYPE, "application/json");
        let patience = broken_off_after.unwrap_or(ANSWER);
        let sent = request.body(body.to_owned()).timeout(patience).send().await;
        let nothing = || Trouble { kind: Kind::Nothing, pause: None };
        let response = sent.map_err(|_broken| nothing())?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.map_err(|_broken| nothing())?;
        read(status, &headers, &body)
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }
}

/// What requests are sent with, each of which must be answered within that time.
pub fn client(patience: Duration) -> Result<reqwest::Client, Failure> {
    // A client wants one even where it never meets TLS; who installs a second one is refused.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().timeout(patience).build();
    client.map_err(|error| Failure::failed("preparing the clients", error))
}

/// A path below an address, whether or not that ends with a slash.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let before = base.path().trim_end_matches('/');
    url.set_path(&format!("{before}/{path}"));
    url
}

fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Trouble> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let problem = || serde_json::from_slice::<Value>(body).unwrap_or_default();
    let code = || problem().get("code").and_then(Value::as_str).map(str::to_owned);
    let is_end = match status {
        201 => true,
        402 => code().as_deref() == Some("payment_declined"),
        502 => code().as_deref() == Some("gateway_error"),
        _ => false,
    };
    if is_end {
        let text = |name| header(name).unwrap_or_default().to_owned();
        let last = Final {
            status,
            content_type: text(CONTENT_TYPE.as_str()),
            location: text(LOCATION.as_str()),
            body: body.to_vec(),
        };
        return Ok(Answer { last, is_replay: header("Idempotent-Replayed") == Some("true") });
    }
    let kind = match status {
        202 => Kind::Accepted,
        409 => Kind::InUse,
        422 => Kind::OtherRequest,
        429 => Kind::TooOften,
        503 => Kind::Unavailable,
        408 | 500..=599 => Kind::Failed(status),
        _ => {
            Kind::Strange(format!("{status} {}", code().unwrap_or_default()).trim_end().to_owned())
        }
    };
    let seconds = header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
    let pause = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
    Err(Trouble { kind, pause })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> Result<Answer, Trouble> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        read(status, &map, body.as_bytes())
    }

    fn kind(status: u16, body: &str) -> Kind {
        told(status, &[], body).unwrap_err().kind
    }

    #[test]
    fn only_what_is_stored_is_an_end() {
        let replayed =
            told(201, &[("idempotent-replayed", "true"), ("location", "/p")], "{}").unwrap();
        assert!(replayed.is_replay);
        assert_eq!((replayed.last.status, &*replayed.last.location), (201, "/p"));
        assert!(told(402, &[], r#"{"code":"payment_declined"}"#).is_ok());
        assert!(told(502, &[], r#"{"code":"gateway_error"}"#).is_ok());
        assert_eq!(kind(502, "<html>bad gateway</html>"), Kind::Failed(502));
        assert_eq!(kind(500, "{}"), Kind::Failed(500));
        assert_eq!(kind(422, "{}"), Kind::OtherRequest);
        assert_eq!(kind(200, r#"{"code":"x"}"#), Kind::Strange("200 x".to_owned()));
    }

    #[test]
    fn a_pause_that_is_asked_for_is_read_and_bounded() {
        let pause = |text| told(429, &[("retry-after", text)], "").unwrap_err().pause;
        assert_eq!(pause("2"), Some(Duration::from_secs(2)));
        assert_eq!(pause("86400"), Some(LONGEST_PAUSE));
        assert_eq!(pause("soon"), None);
    }

    #[test]
    fn a_path_is_below_its_address() {
        for base in ["http://a/b", "http://a/b/"] {
            assert_eq!(below(&base.parse().unwrap(), "c").as_str(), "http://a/b/c");
        }
        assert_eq!(below(&"http://a".parse().unwrap(), "c/d").as_str(), "http://a/c/d");
    }
}
