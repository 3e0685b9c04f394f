//! Who may ask.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Profile;

/// Shorter ones can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Who may ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// Whether requests must prove in whose name they ask.
    pub mode: AuthMode,
    /// What `/metrics` is asked with, where requests need a key. Without it nobody may.
    pub metrics_token: Option<SecretString>,
}

/// Whether requests must prove in whose name they ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// No: all act for one account.
    Open,
    /// By a key of an account.
    ApiKey,
}

impl AuthSettings {
    pub(super) fn check(&self, profile: Profile, host: &str, problems: &mut Vec<String>) {
        let mut require = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        let is_production = profile == Profile::Production;
        require(
            !is_production || self.mode == AuthMode::ApiKey || is_loopback(host),
            "auth.mode must be \"api_key\" with profile = \"production\", unless server.host is an \
             address of this machine alone",
        );
        let Some(token) = &self.metrics_token else {
            require(
                !is_production || self.mode == AuthMode::Open,
                "auth.metrics_token must be set with auth.mode = \"api_key\" and profile = \
                 \"production\": nobody could read /metrics",
            );
            return;
        };
        let token = token.expose_secret();
        require(
            token.len() >= SHORTEST_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "auth.metrics_token must be at least 16 visible ASCII characters, without spaces",
        );
    }
}

/// Whether only this machine reaches that address.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_its_own() {
        for host in ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["0.0.0.0", "::", "192.168.0.1", "pay.example", "localhost.example", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
