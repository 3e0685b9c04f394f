//! A gateway that is reached over HTTP and speaks the gateway protocol.
//!
//! [`exchange`] sends a request and reads what comes back within bounds; [`conclusions`] says
//! what may be concluded from it, and concludes nothing by default; [`trace`] tells the gateway
//! which trace a call belongs to. Redirects are not followed: a charge goes where the operator said
//! and nowhere else.

mod conclusions;
mod exchange;
#[cfg(test)]
mod fuzz;
mod trace;

use std::time::Duration;

use async_trait::async_trait;
use payonce_domain::gateway::{
    ChargeOutcome, GatewayIdentity, GatewayKey, LookUpOutcome, VoidOutcome,
};
use payonce_domain::payment::{PaymentId, PaymentRequest};
use payonce_domain::ports::{BoxedError, PaymentGateway};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use self::conclusions::Asked;
use super::charge_request::ChargeRequest;
use crate::tls;

/// Shorter than servers keep a connection, so that few requests meet one that is being closed.
const IDLE: Duration = Duration::from_secs(15);
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Where the gateway is and how it is reached.
#[derive(Debug, Clone)]
pub struct HttpGatewaySettings {
    /// What the protocol's paths are appended to.
    pub base_url: Url,
    /// The bearer token, where the gateway wants one.
    pub token: Option<SecretString>,
    /// The merchant's account there; empty when it has none.
    pub account: String,
    /// The longest time for a connection to come about, TLS included.
    pub connect_timeout: Duration,
    /// Whether `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are honoured.
    pub environment_proxy: bool,
}

/// The gateway.
pub struct HttpGateway {
    client: Client,
    identity: GatewayIdentity,
}

impl HttpGateway {
    /// Prepares the gateway; connects only when it is used. Fails on a token that no header can
    /// carry, and where `https` is asked for on a machine without root certificates.
    pub fn new(settings: &HttpGatewaySettings) -> Result<Self, BoxedError> {
        tls::choose_cryptography();
        let mut client = Client::builder()
            .http1_only()
            .default_headers(headers(settings.token.as_ref())?)
            .user_agent(concat!("payonce/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            // Every send is announced to the store first, so none is repeated behind its back.
            .retry(retry::never())
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE);
        if !settings.environment_proxy {
            client = client.no_proxy();
        }
        if settings.base_url.scheme() == "http" {
            // Plain HTTP must not depend on root certificates being installed.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| exchange::in_words(&error))?;
        let identity = GatewayIdentity {
            kind: "http".into(),
            base_url: settings.base_url.as_str().trim_end_matches('/').into(),
            account: settings.account.as_str().into(),
        };
        Ok(Self { client, identity })
    }

    fn asked(key: GatewayKey, request: &[u8]) -> Result<Asked, String> {
        let request = ChargeRequest::read(request)
            .ok_or("the stored request is none of this version's".to_owned())?;
        let (amount, currency) = (request.amount.into_owned(), request.currency.into_owned());
        Ok(Asked { key, amount, currency })
    }

    fn charge_url(&self, key: GatewayKey) -> String {
        format!("{}/charges/{key}", self.identity.base_url)
    }
}

/// What every request carries.
fn headers(token: Option<&SecretString>) -> Result<HeaderMap, BoxedError> {
    let mut headers = HeaderMap::from_iter([(ACCEPT, JSON)]);
    if let Some(token) = token {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    Ok(headers)
}

#[async_trait]
impl PaymentGateway for HttpGateway {
    fn identity(&self) -> GatewayIdentity {
        self.identity.clone()
    }

    fn is_available(&self) -> bool {
        true
    }

    fn charge_request(&self, id: PaymentId, request: &PaymentRequest) -> Vec<u8> {
        ChargeRequest::bytes(id, request)
    }

    async fn charge(&self, key: GatewayKey, request: &[u8]) -> ChargeOutcome {
        let asked = match Self::asked(key, request) {
            Ok(asked) => asked,
            Err(reason) => return ChargeOutcome::Unknown { reason },
        };
        let send = self
            .client
            .post(format!("{}/charges", self.identity.base_url))
            .header("Idempotency-Key", key.to_string())
            .header(CONTENT_TYPE, JSON)
            .body(request.to_vec());
        conclusions::of_charge(exchange::run(send).await, &asked)
    }

    async fn look_up(&self, key: GatewayKey, request: &[u8]) -> LookUpOutcome {
        let asked = match Self::asked(key, request) {
            Ok(asked) => asked,
            Err(reason) => return LookUpOutcome::Nothing { reason },
        };
        let send = self.client.get(self.charge_url(key));
        conclusions::of_look_up(exchange::run(send).await, &asked)
    }

    async fn void(&self, key: GatewayKey, request: &[u8]) -> VoidOutcome {
        let asked = match Self::asked(key, request) {
            Ok(asked) => asked,
            Err(reason) => return VoidOutcome::Nothing { reason },
        };
        let send = self.client.post(format!("{}/void", self.charge_url(key)));
        conclusions::of_void(exchange::run(send).await, &asked)
    }
}
