//! The listener's certificate, where it speaks TLS itself.

use std::path::PathBuf;

use serde::Deserialize;

/// The listener's certificate and key, both or neither.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerTlsSettings {
    /// A PEM file: the certificate, and those that it is signed by.
    pub certificate: Option<PathBuf>,
    /// A PEM file: its private key.
    pub key: Option<PathBuf>,
}

impl ServerTlsSettings {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let problem = match (&self.certificate, &self.key) {
            (Some(_), None) => "server.tls.key must be set with server.tls.certificate",
            (None, Some(_)) => "server.tls.certificate must be set with server.tls.key",
            _ => return,
        };
        problems.push(problem.to_owned());
    }
}
