//! What a client is told.

use std::fmt;

use payonce_testing::shows_no_secret;
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// A whole answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.text())
    }
}

impl Answer {
    /// Sends a request.
    pub async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the service answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("the whole body arrives").to_vec();
        Self { status, headers, body }.shows_no_secret()
    }

    /// Neither its headers nor its body do.
    pub fn shows_no_secret(self) -> Self {
        shows_no_secret("an answer", &format!("{self:?}"));
        self
    }

    /// The one value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        Some(value.to_str().expect("ASCII"))
    }

    /// The body as a text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The id of the payment in the body.
    #[track_caller]
    pub fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }

    /// It has that status.
    #[track_caller]
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// It is a payment that was paid just now.
    #[track_caller]
    pub fn is_first(&self) -> &Self {
        self.is(201).is_replay(false)
    }

    /// It is a payment that was paid before.
    #[track_caller]
    pub fn is_repeat(&self) -> &Self {
        self.is(201).is_replay(true)
    }

    /// It is, or is not, a stored answer.
    #[track_caller]
    pub fn is_replay(&self, is_replay: bool) -> &Self {
        assert_eq!(self.header("Idempotent-Replayed"), Some(is_replay.to_string().as_str()));
        assert_eq!(self.header("Original-Request-Id").is_some(), is_replay, "{self:?}");
        assert_eq!(self.header("Cache-Control"), Some("no-store"));
        assert!(self.header("Idempotency-Key").is_some() && self.header("X-Request-Id").is_some());
        self
    }

    /// It is, or is not, a stored answer of a format whose key travels in the body.
    #[track_caller]
    pub fn is_stored(&self, is_replay: bool) -> &Self {
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
        let mark = self.header("Idempotent-Replayed");
        assert_eq!(mark, Some(is_replay.to_string().as_str()), "{self:?}");
        assert_eq!(self.header("Original-Request-Id").is_some(), is_replay, "{self:?}");
        assert_eq!(self.header("Cache-Control"), Some("no-store"), "{self:?}");
        assert!(self.header("X-Request-Id").is_some(), "{self:?}");
        self
    }

    /// It is `{"error":"…"}`, and nothing else; returns the words.
    #[track_caller]
    pub fn is_error(&self, status: u16) -> String {
        self.is_only("error", status)
    }

    /// It is `{"detail":"…"}`, and nothing else; returns the words.
    #[track_caller]
    pub fn is_detail(&self, status: u16) -> String {
        self.is_only("detail", status)
    }

    #[track_caller]
    fn is_only(&self, member: &str, status: u16) -> String {
        self.is(status);
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
        assert_ne!(self.header("Idempotent-Replayed"), Some("true"), "{self:?}");
        let body = self.json();
        let words = body[member].as_str().unwrap_or_default();
        assert!(!words.is_empty(), "{self:?}");
        assert_eq!(body, serde_json::json!({ member: words }), "{self:?}");
        words.to_owned()
    }

    /// It is `{"detail":[{"loc","msg","type"}]}`; returns each place with its rule.
    #[track_caller]
    pub fn broken_rules(&self) -> Vec<(String, String)> {
        self.is(422);
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
        let body = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rules = body["detail"].as_array().unwrap_or_else(|| panic!("none: {self:?}"));
        let read = |rule: &Value| {
            let (loc, msg, kind) = (&rule["loc"], text(&rule["msg"]), text(&rule["type"]));
            assert!(!msg.is_empty() && !kind.is_empty(), "{self:?}");
            assert_eq!(rule, &serde_json::json!({"loc": loc, "msg": msg, "type": kind}));
            let place = loc.as_array().unwrap_or_else(|| panic!("no place: {self:?}"));
            (place.iter().map(text).collect::<Vec<_>>().join("."), kind)
        };
        assert_eq!(body, serde_json::json!({ "detail": rules }), "{self:?}");
        rules.iter().map(read).collect()
    }

    /// It is a problem of that kind, in all that every problem has.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) -> Value {
        self.is(status);
        assert_eq!(self.header("Content-Type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self:?}");
        assert_eq!(problem["status"], status, "{self:?}");
        for words in ["type", "title", "detail"] {
            let is_there = problem[words].as_str().is_some_and(|text| !text.is_empty());
            assert!(is_there, "{words}: {self:?}");
        }
        let request_id = self.header("X-Request-Id").expect("each answer names its request");
        assert_eq!(problem["request_id"], request_id, "{self:?}");
        problem
    }

    /// It is a problem after which another key could pay twice.
    #[track_caller]
    pub fn is_refused(&self, status: u16, code: &str) -> Value {
        let problem = self.is_problem(status, code);
        assert_eq!(problem["safe_new_key"], false, "{self:?}");
        problem
    }

    /// It links that payment.
    #[track_caller]
    pub fn links(&self, id: &str) {
        let problem = self.json();
        assert_eq!(problem["payment_id"], id, "{self:?}");
        assert_eq!(problem["payment"], format!("/v1/payments/{id}"), "{self:?}");
    }

    /// The fields that it says are wrong, each with its rule.
    #[track_caller]
    pub fn wrong_fields(&self) -> Vec<(String, String)> {
        let problem = self.json();
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("none: {self:?}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for error in errors {
            assert!(!text(&error["detail"]).is_empty(), "{self:?}");
        }
        errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    }
}

/// Reads a time that must be in UTC.
#[track_caller]
pub fn utc(text: &str) -> OffsetDateTime {
    assert!(text.ends_with('Z'), "{text} is not in UTC");
    OffsetDateTime::parse(text, &Rfc3339).expect("RFC 3339")
}

/// Reads an id, which is a UUID of version 7.
#[track_caller]
pub fn uuid_v7(text: &str) -> Uuid {
    let id: Uuid = text.parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 7, "{id}");
    id
}
