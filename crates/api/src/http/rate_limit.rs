//! Refuses who asks too often, before anything is read or done for the request.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use payonce_domain::ports::{RateDecision, RateQuota, RateSubject};
use sfv::{ItemSerializer, KeyRef, StringRef, key_ref, string_ref};

use super::caller::AsksFor;
use super::problem::{Code, Problem, whole_seconds};
use crate::api::Api;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The one policy's name, and the fields' parameters.
const POLICY: &StringRef = string_ref("default");
const QUOTA: &KeyRef = key_ref("q");
const WINDOW: &KeyRef = key_ref("w");
const REMAINING: &KeyRef = key_ref("r");
const SECONDS: &KeyRef = key_ref("t");

/// Takes a token for the request, or refuses it. Whoever refuses for another reason later shows
/// the same fields: [`show`] adds them where the answer is complete.
pub async fn limit_rate(api: &Api, request: &mut ServiceRequest) -> Result<(), Problem> {
    let subject = subject(request);
    count(api, request, subject).await
}

/// Takes a token of the client's address, where nothing else is known of it.
pub async fn count_address(api: &Api, request: &mut ServiceRequest) -> Result<(), Problem> {
    let address = address(request);
    count(api, request, address).await
}

async fn count(
    api: &Api,
    request: &mut ServiceRequest,
    subject: RateSubject,
) -> Result<(), Problem> {
    let limiter = api.rate_limiter.as_ref().filter(|_| !is_exempt(request.path()));
    let Some(limiter) = limiter else {
        return Ok(());
    };
    let decision = limiter.check(&subject).await;
    request.extensions_mut().insert(Fields { quota: limiter.quota(), decision });
    let RateDecision::Refused { retry_after } = decision else {
        return Ok(());
    };
    api.request_metrics.rate_limited();
    Err(Problem::new(Code::RateLimited).retry_after(retry_after))
}

/// Whether a path is never counted: probes, documents, what answers for another service, and what others must be able to deliver.
pub fn is_exempt(path: &str) -> bool {
    match path.trim_end_matches('/') {
        "" | "/healthz" | "/readyz" | "/metrics" | "/docs" | "/openapi.json" => true,
        path => ["/docs/", "/v1/webhooks/", "/fake-gateway/"].iter().any(|it| path.starts_with(it)),
    }
}

/// Whose token it is: the account's that a key was brought for. Where no keys are asked for everybody
/// acts for one account, so each address has a bucket.
fn subject(request: &ServiceRequest) -> RateSubject {
    let extensions = request.extensions();
    match extensions.get::<AsksFor>().and_then(AsksFor::key_holder) {
        Some(caller) => RateSubject::Account(caller.account.clone()),
        None => address(request),
    }
}

/// The peer's; headers that say otherwise could say anything.
fn address(request: &ServiceRequest) -> RateSubject {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    RateSubject::of_address(peer)
}

/// What an answer tells of the limit (draft-ietf-httpapi-ratelimit-headers).
struct Fields {
    quota: RateQuota,
    decision: RateDecision,
}

/// Adds the fields to an answer to a request that was counted.
pub fn show(response: &mut ServiceResponse<BoxBody>) {
    let Some(fields) = response.request().extensions_mut().remove::<Fields>() else {
        return;
    };
    for (name, value) in [(RATE_LIMIT, fields.limit()), (RATE_LIMIT_POLICY, fields.policy())] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
}

impl Fields {
    /// Tokens left, and seconds until the bucket is full, or, where none is left to take, until
    /// there is one.
    fn limit(&self) -> String {
        let burst = self.quota.burst.get();
        let (remaining, wait) = match self.decision {
            RateDecision::Allowed { remaining } => {
                (remaining, self.quota.time_for(burst.saturating_sub(remaining)))
            }
            RateDecision::Refused { retry_after } => (0, retry_after),
        };
        field([(REMAINING, remaining.into()), (SECONDS, whole_seconds(wait))])
    }

    /// Tokens that the bucket holds, and seconds in which as many come back.
    fn policy(&self) -> String {
        let burst = self.quota.burst.get();
        field([(QUOTA, burst.into()), (WINDOW, whole_seconds(self.quota.time_for(burst)))])
    }
}

fn field(parameters: [(&KeyRef, u64); 2]) -> String {
    let item = ItemSerializer::new().bare_item(POLICY);
    let item = parameters.into_iter().fold(item, |item, (name, value)| {
        item.parameter(name, sfv::Integer::try_from(value).unwrap_or(sfv::Integer::MAX))
    });
    item.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn fields(per_second: u32, burst: u32, decision: RateDecision) -> (String, String) {
        let number = |number| NonZeroU32::new(number).expect("not zero");
        let quota = RateQuota { per_second: number(per_second), burst: number(burst) };
        let fields = Fields { quota, decision };
        (fields.limit(), fields.policy())
    }

    #[test]
    fn the_fields_are_structured_and_count_whole_seconds() {
        let refused = RateDecision::Refused { retry_after: Duration::from_micros(200) };
        let (limit, policy) = fields(5_000, 10_000, refused);
        assert_eq!(limit, r#""default";r=0;t=1"#);
        assert_eq!(policy, r#""default";q=10000;w=2"#);
        let (limit, policy) = fields(2, 9, RateDecision::Allowed { remaining: 4 });
        assert_eq!(limit, r#""default";r=4;t=3"#);
        assert_eq!(policy, r#""default";q=9;w=5"#);
    }

    #[test]
    fn only_whole_segments_are_exempt() {
        for path in [
            "/",
            "/healthz",
            "/readyz/",
            "/metrics",
            "/docs",
            "/docs/index.html",
            "/openapi.json",
            "/v1/webhooks/transactions",
            "/fake-gateway/start/",
        ] {
            assert!(is_exempt(path), "{path}");
        }
        for path in
            ["/pay", "/v1/payments", "/docsX", "/healthz/x", "/v1/transactions/t", "/x/docs/"]
        {
            assert!(!is_exempt(path), "{path}");
        }
    }
}
