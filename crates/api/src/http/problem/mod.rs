//! Errors on the wire: `application/problem+json` (RFC 9457).
//!
//! A problem tells the client what to do next. Its cause goes to the log, never into the body.

mod code;
mod document;
mod from_use_cases;
mod shape;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use payonce_domain::account::RequestId;
use payonce_domain::payment::PaymentId;
use payonce_domain::ports::BoxedError;
use serde::Serialize;
use utoipa::ToSchema;

pub use code::Code;
pub use document::{ProblemAnswer, problem_answers};
pub use shape::Shape;

use super::header_names::{IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED};

/// The media type of every problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// One field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Its name, with dots between levels.
    pub field: String,
    /// Which rule, for programs.
    pub code: &'static str,
    /// Which rule, for people.
    pub detail: String,
}

/// What went wrong, as a client is told.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    differing_fields: Vec<&'static str>,
    payment: Option<PaymentId>,
    decline_code: Option<String>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
    key_echo: Option<HeaderValue>,
    closes_connection: bool,
    cause: Option<BoxedError>,
}

/// What went wrong, and what the client does next (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct Body<'a> {
    /// `urn:payonce:problem:` and the code.
    r#type: String,
    /// The code's short name, for people.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do next, for people; its words may change.
    detail: &'a str,
    /// Which problem it is, for programs.
    code: &'a str,
    /// For asking for help; on a replay that of the request answered first.
    request_id: &'a str,
    /// On routes that take a key: whether nothing happened under this key and nothing will.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    safe_new_key: Option<bool>,
    /// Every bad field.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    /// The names of the fields in which two requests under one key differ.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    differing_fields: &'a [&'a str],
    /// The payment that the key has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    payment_id: Option<String>,
    /// Where that payment is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    payment: Option<String>,
    /// The issuer's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    decline_code: Option<&'a str>,
}

impl Problem {
    /// A problem with the standing advice of its code.
    pub fn new(code: Code) -> Self {
        Self(Box::new(Parts {
            code,
            detail: Cow::Borrowed(code.advice()),
            errors: Vec::new(),
            differing_fields: Vec::new(),
            payment: None,
            decline_code: None,
            retry_after: None,
            allow: None,
            key_echo: None,
            closes_connection: false,
            cause: None,
        }))
    }

    /// A body or query in which these fields break rules.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(Code::ValidationFailed);
        problem.0.errors = errors;
        problem
    }

    /// Says more than the standing advice.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// Names and links the payment it is about.
    #[must_use]
    pub fn payment(mut self, payment: PaymentId) -> Self {
        self.0.payment = Some(payment);
        self
    }

    /// Names and links the payment it is about, if it is about one.
    #[must_use]
    pub fn payment_if(mut self, payment: Option<PaymentId>) -> Self {
        self.0.payment = payment;
        self
    }

    /// Names the fields in which two requests differ.
    #[must_use]
    pub fn differing_fields(mut self, differing_fields: Vec<&'static str>) -> Self {
        self.0.differing_fields = differing_fields;
        self
    }

    /// Gives the issuer's reason.
    #[must_use]
    pub fn decline_code(mut self, decline_code: Option<String>) -> Self {
        self.0.decline_code = decline_code;
        self
    }

    /// Says when a repeat makes sense.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Names the methods that the path has.
    #[must_use]
    pub fn allow(mut self, methods: &'static str) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// Echoes the key that the request came with.
    #[must_use]
    pub fn key_echo(mut self, key: HeaderValue) -> Self {
        self.0.key_echo = Some(key);
        self
    }

    /// Ends the connection, whose rest is not worth reading.
    #[must_use]
    pub fn closing_connection(mut self) -> Self {
        self.0.closes_connection = true;
        self
    }

    /// Keeps what lies behind it, for the log.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<BoxedError>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// A fault that the client is not told of.
    pub fn from_cause(cause: impl Into<BoxedError>) -> Self {
        Self::new(Code::InternalError).cause(cause)
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// Which problem it is, for programs.
    pub fn code(&self) -> &'static str {
        self.0.code.as_str()
    }

    /// What the client has to do.
    pub fn detail_text(&self) -> &str {
        &self.0.detail
    }

    /// What lies behind it, each cause after the one it caused.
    pub fn cause_chain(&self) -> Option<String> {
        let mut next = self.0.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
        let mut chain = Vec::new();
        while let Some(cause) = next {
            chain.push(cause.to_string());
            next = cause.source();
        }
        (!chain.is_empty()).then(|| chain.join(": "))
    }

    /// The body. `safe_new_key` is given on routes that take a key.
    pub fn body(&self, request_id: &RequestId, safe_new_key: Option<bool>) -> Vec<u8> {
        let body = Body {
            r#type: format!("urn:payonce:problem:{}", self.0.code.as_str()),
            title: self.0.code.title(),
            status: self.0.code.status().as_u16(),
            detail: &self.0.detail,
            code: self.0.code.as_str(),
            request_id: request_id.as_str(),
            safe_new_key,
            errors: &self.0.errors,
            differing_fields: &self.0.differing_fields,
            payment_id: self.0.payment.map(|payment| payment.to_string()),
            payment: self.0.payment.map(|payment| format!("/v1/payments/{payment}")),
            decline_code: self.0.decline_code.as_deref(),
        };
        // Strings and numbers always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Status and headers.
    fn head(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.0.code.status());
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(wait) = self.0.retry_after {
            response.insert_header((header::RETRY_AFTER, whole_seconds(wait).to_string()));
        }
        if self.0.code == Code::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(methods) = self.0.allow {
            response.insert_header((header::ALLOW, methods));
        }
        if let Some(key) = &self.0.key_echo {
            response.insert_header((&IDEMPOTENCY_KEY, key.clone()));
            response.insert_header((&IDEMPOTENT_REPLAYED, "false"));
        }
        if self.0.closes_connection {
            response.force_close();
        }
        response
    }
}

/// Seconds as `Retry-After` spells them: whole, at least one.
pub fn whole_seconds(wait: Duration) -> u64 {
    let rounded_up = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    rounded_up.max(1)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)
    }
}

/// The body is added where the request's id is known.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.head().finish()
    }
}
