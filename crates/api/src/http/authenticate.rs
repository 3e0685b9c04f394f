//! Lets nobody in who does not bring a key of an account, where keys are asked for.
//!
//! A missing, malformed, unknown and revoked key are answered alike. Whoever has not proved
//! anything yet is counted by their address, before the store is asked for a key.

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use payonce_domain::account::Mode;
use payonce_domain::api_key::PresentedKey;
use payonce_domain::use_cases::{AuthenticateKey, Caller};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::caller::AsksFor;
use super::problem::{Code, Problem};
use super::rate_limit;
use crate::api::Api;

/// Who may ask what, where keys are asked for.
pub struct Authentication {
    /// Knows keys.
    pub keys: AuthenticateKey,
    /// The modes that the gateway serves.
    pub serves: &'static [Mode],
    /// What `/metrics` is asked with; without it nobody may.
    pub metrics_token: Option<SecretString>,
}

/// Finds out in whose name a request asks, or refuses it.
pub async fn authenticate(api: &Api, request: &mut ServiceRequest) -> Result<(), Problem> {
    let Some(authentication) = &api.authentication else {
        return Ok(());
    };
    let asks_for = request.extensions().get::<AsksFor>().cloned();
    let asks_for = asks_for.ok_or_else(|| Problem::new(Code::InternalError))?;
    match request.path().trim_end_matches('/') {
        "/metrics" => authentication.may_read_metrics(request.headers()),
        path if path.starts_with(WEBHOOKS) => {
            asks_for.account_of_all(api.webhooks.account.clone());
            Ok(())
        }
        _ if rate_limit::is_exempt(request.path()) => Ok(()),
        _ => {
            asks_for.caller(caller(api, request, &authentication.keys).await?);
            Ok(())
        }
    }
}

/// Refuses a caller whose key is not for what is asked.
pub fn permit(api: &Api, request: &ServiceRequest) -> Result<(), Problem> {
    let Some(authentication) = &api.authentication else {
        return Ok(());
    };
    let caller = request.extensions().get::<AsksFor>().and_then(|it| it.key_holder().cloned());
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD);
    let problem = match caller {
        Some(it) if !authentication.serves.contains(&it.account.mode()) => Code::KeyOfOtherMode,
        Some(it) if !it.scope.may_write() && !changes_nothing => Code::KeyOnlyReads,
        _ => return Ok(()),
    };
    Err(Problem::new(problem))
}

/// Webhooks prove who sends them by their signatures.
const WEBHOOKS: &str = "/v1/webhooks/";

async fn caller(
    api: &Api,
    request: &mut ServiceRequest,
    keys: &AuthenticateKey,
) -> Result<Caller, Problem> {
    let presented = PresentedKey::of(bearer(request.headers()).unwrap_or_default());
    if let Some(caller) = keys.recall(&presented).await {
        return Ok(caller);
    }
    rate_limit::count_address(api, request).await?;
    let caller = keys.execute(&presented).await?;
    caller.ok_or_else(|| Problem::new(Code::Unauthenticated))
}

/// What one `Authorization: Bearer` header carries.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION);
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_matches(' '))
}

impl Authentication {
    fn may_read_metrics(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let sent = Sha256::digest(bearer(headers).unwrap_or_default());
        let token = self.metrics_token.as_ref().map_or("", |token| token.expose_secret());
        let wanted = Sha256::digest(token);
        let is_same = bool::from(sent.as_slice().ct_eq(wanted.as_slice()));
        match is_same && !token.is_empty() {
            true => Ok(()),
            false => Err(Problem::new(Code::Unauthenticated)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a header"));
        }
        headers
    }

    #[test]
    fn one_bearer_header_carries_a_key() {
        assert_eq!(bearer(&headers(&["Bearer k"])), Some("k"));
        assert_eq!(bearer(&headers(&["bearer  k "])), Some("k"));
        for wrong in [&["k"][..], &["Basic k"], &["Bearer"], &["Bearer k", "Bearer k"], &[]] {
            assert_eq!(bearer(&headers(wrong)), None, "{wrong:?}");
        }
    }
}
