//! Traces.

use serde::Deserialize;
use url::Url;

/// What leaves the service about its own work.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Where traces go; without it there are none.
    pub otlp_endpoint: Option<CollectorUrl>,
}

/// A collector of traces.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CollectorUrl(Url);

impl CollectorUrl {
    /// Where spans are sent.
    pub fn traces(&self) -> Url {
        let mut url = self.0.clone();
        let path = self.0.path().trim_end_matches('/');
        url.set_path(&format!("{path}/v1/traces"));
        url
    }
}

impl TryFrom<String> for CollectorUrl {
    type Error = &'static str;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        const RULE: &str = "must read http://host:port or https://host:port, without user, query \
            and fragment; v1/traces is appended";
        let url = Url::parse(&raw).map_err(|_no_url| RULE)?;
        let is_plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && !url.path().trim_end_matches('/').ends_with("/v1/traces");
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(RULE);
        }
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_to_the_collectors_own_path() {
        for (raw, traces) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"),
        ] {
            let url = CollectorUrl::try_from(raw.to_owned()).expect("valid");
            assert_eq!(url.traces().as_str(), traces);
        }
    }

    #[test]
    fn only_a_plain_http_url_names_a_collector() {
        for raw in [
            "",
            "collector:4318",
            "grpc://collector:4317",
            "http://",
            "http://u:p@collector",
            "http://collector/?a=b",
            "http://collector/#a",
            "http://collector/v1/traces",
        ] {
            assert!(CollectorUrl::try_from(raw.to_owned()).is_err(), "{raw}");
        }
    }
}
