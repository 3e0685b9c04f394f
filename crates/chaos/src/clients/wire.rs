//! One request and what its answer means to a client.

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::json;

use crate::history::{Final, Format};

/// What a client does next depends on this alone.
#[derive(Debug, Clone)]
pub enum Seen {
    /// The end of it.
    Final(Final),
    /// It is stored, and not final.
    Pending,
    /// Somebody works on it.
    InUse,
    /// Left open for the next try.
    LeftOpen,
    /// The gateway is out of reach.
    GatewayAway,
    /// Not now.
    Refused,
    /// Anything may have happened.
    Failed(u16),
    /// No whole answer came.
    Nothing(String),
    /// The key cannot be used so.
    Mismatch,
    /// What nobody may be told.
    Strange(String),
}

impl Seen {
    /// The name in the timeline.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Final(_) => "final",
            Self::Pending => "pending",
            Self::InUse => "in use",
            Self::LeftOpen => "left open",
            Self::GatewayAway => "gateway away",
            Self::Refused => "refused",
            Self::Failed(_) => "failed",
            Self::Nothing(_) => "no answer",
            Self::Mismatch => "mismatch",
            Self::Strange(_) => "strange",
        }
    }

    /// What only a fault excuses, in words.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Refused => Some("503".to_owned()),
            Self::Failed(status) => Some(status.to_string()),
            Self::Nothing(why) => Some(format!("no answer: {why}")),
            _ => None,
        }
    }
}

/// The amount on the wire.
pub fn amount(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The request for a payment.
pub fn request(
    client: &reqwest::Client,
    base: &str,
    format: Format,
    key: &str,
    body: &str,
) -> RequestBuilder {
    let path = match format {
        Format::Canonical => "/v1/payments",
        Format::Pay => "/pay",
        Format::Order => "/payments/start/",
    };
    let request = client.post(format!("{base}{path}")).header(CONTENT_TYPE, "application/json");
    let request = match format {
        Format::Canonical => request.header("Idempotency-Key", key),
        Format::Pay | Format::Order => request,
    };
    request.body(body.to_owned())
}

/// The body of that request.
pub fn body(format: Format, key: &str, cents: u64, token: &str) -> String {
    let amount = amount(cents);
    match format {
        Format::Canonical => json!({"amount": amount, "payment_method": token}),
        Format::Pay => json!({"user_id": "chaos", "amount": amount, "idempotency_key": key}),
        Format::Order => json!({"order_id": key, "amount": amount}),
    }
    .to_string()
}

/// Sends it and reads the answer.
pub async fn send(request: RequestBuilder, format: Format, patience: Duration) -> Seen {
    let response = match request.timeout(patience).send().await {
        Ok(response) => response,
        Err(error) => return Seen::Nothing(in_words(&error)),
    };
    let status = response.status().as_u16();
    let header = |name| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (content_type, location) = (header(CONTENT_TYPE), header(LOCATION));
    let body = match response.bytes().await {
        Ok(body) => body.to_vec(),
        Err(error) => return Seen::Nothing(in_words(&error)),
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    let is_end = match (format, status) {
        (Format::Canonical, 201 | 402) | (Format::Pay | Format::Order, 200 | 402) => true,
        (Format::Canonical, 502) => text.contains("gateway_error"),
        (Format::Pay | Format::Order, 502) => true,
        _ => false,
    };
    if is_end {
        return Seen::Final(Final { status, content_type, location, body });
    }
    match status {
        202 => Seen::Pending,
        409 => Seen::InUse,
        422 => Seen::Mismatch,
        500 if format == Format::Pay => Seen::LeftOpen,
        503 if text.to_lowercase().contains("gateway") => Seen::GatewayAway,
        503 => Seen::Refused,
        500..=599 | 408 => Seen::Failed(status),
        _ => Seen::Strange(format!("{status} {}", text.chars().take(200).collect::<String>())),
    }
}

fn in_words(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "not connected"
    } else {
        "broken off"
    };
    what.to_owned()
}
