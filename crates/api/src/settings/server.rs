//! The listener.

use std::num::NonZero;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use super::ServerTlsSettings;

/// The listener and its limits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// The address to listen on.
    pub host: String,
    /// The port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Threads that serve HTTP; 0 means one for each core.
    pub workers: usize,
    /// The largest body.
    pub body_limit: ByteSize,
    /// The longest time for a body to arrive.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// The longest time for a request.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// The longest time from SIGTERM to exit.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
    /// Its certificate, where it speaks TLS.
    #[serde(default)]
    pub tls: ServerTlsSettings,
}

impl ServerSettings {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        if self.body_limit.as_u64() == 0 || self.body_limit > ByteSize::mib(16) {
            problems.push("server.body_limit must be between 1B and 16MiB".to_owned());
        }
        for (name, value) in [
            ("body_timeout", self.body_timeout),
            ("request_timeout", self.request_timeout),
            ("drain_timeout", self.drain_timeout),
        ] {
            if value.is_zero() {
                problems.push(format!("server.{name} must be longer than zero"));
            }
        }
        self.tls.check(problems);
    }

    /// The number of threads that serve HTTP.
    pub fn worker_threads(&self) -> usize {
        if self.workers > 0 {
            return self.workers;
        }
        std::thread::available_parallelism().map_or(1, NonZero::get)
    }
}
