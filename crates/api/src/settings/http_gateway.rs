//! The gateway that is reached over HTTP.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

use super::Profile;

/// The gateway that is reached over HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGatewaySettings {
    /// Where it is.
    pub base_url: Option<GatewayUrl>,
    /// The bearer token, where it wants one.
    pub token: Option<SecretString>,
    /// The merchant's account there.
    pub account: String,
    /// The longest time for a connection to come about.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Whether the environment's proxy is honoured.
    pub environment_proxy: bool,
}

/// What the protocol's paths are appended to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct GatewayUrl(Url);

impl GatewayUrl {
    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether nobody can listen in on the way.
    fn is_private(&self) -> bool {
        self.0.scheme() == "https" || self.is_on_this_machine()
    }

    fn is_on_this_machine(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl TryFrom<String> for GatewayUrl {
    type Error = &'static str;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        const RULE: &str = "must read http://host/path or https://host/path, without query and \
            fragment";
        let url = Url::parse(&raw).map_err(|_no_url| RULE)?;
        let is_plain = url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(RULE);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must name no user: credentials belong in gateway.http.token");
        }
        Ok(Self(url))
    }
}

impl HttpGatewaySettings {
    /// Checks what a service that uses this gateway needs.
    pub(super) fn check_use(&self, profile: Profile, problems: &mut Vec<String>) {
        match &self.base_url {
            None => problems
                .push("gateway.http.base_url must be set with gateway.kind = \"http\"".to_owned()),
            Some(url) if profile == Profile::Production && !url.is_private() => problems.push(
                "gateway.http.base_url must be https, or on this machine, with profile = \
                 \"production\""
                    .to_owned(),
            ),
            Some(_) => {}
        }
        let is_here = self.base_url.as_ref().is_some_and(GatewayUrl::is_on_this_machine);
        if profile == Profile::Production && self.token.is_none() && !is_here {
            problems.push(
                "gateway.http.token must be set with profile = \"production\", unless the gateway \
                 is on this machine"
                    .to_owned(),
            );
        }
    }

    /// Checks what must hold whether it is used or not.
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if self.connect_timeout.is_zero() {
            problems.push("gateway.http.connect_timeout must not be zero".to_owned());
        }
        let is_sendable =
            |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if self.token.as_ref().is_some_and(|token| !is_sendable(token.expose_secret())) {
            problems.push(
                "gateway.http.token must be visible ASCII characters, without spaces".to_owned(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(raw: &str) -> Result<GatewayUrl, &'static str> {
        GatewayUrl::try_from(raw.to_owned())
    }

    #[test]
    fn only_http_urls_without_credentials_are_taken() {
        for raw in ["http://127.0.0.1:8000/fake-gateway", "https://pay.example/v1/"] {
            assert!(url(raw).is_ok(), "{raw}");
        }
        for raw in [
            "",
            "pay.example",
            "ftp://pay.example",
            "http://",
            "https://u:p@pay.example",
            "https://u@pay.example",
            "https://pay.example/?a=b",
            "https://pay.example/#a",
        ] {
            assert!(url(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn plain_http_is_private_on_this_machine_only() {
        for raw in ["https://pay.example", "http://127.0.0.1:1", "http://[::1]", "http://localhost"]
        {
            assert!(url(raw).unwrap().is_private(), "{raw}");
        }
        for raw in ["http://pay.example", "http://10.0.0.1", "http://localhost.example"] {
            assert!(!url(raw).unwrap().is_private(), "{raw}");
        }
    }
}
