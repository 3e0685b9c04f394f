//! What a simulation is asked for, as it stands on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

use crate::Failure;

/// Share of charges that fail where nothing else is said.
const FAILURE_RATE: f64 = 0.3;

/// What a simulation is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Clients that pay at the same time.
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub clients: u32,
    /// Payments that they make together.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub payments: u32,
    /// Share of payments that are sent again: at the same time, after the answer, or with another
    /// amount under the same key.
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = share)]
    pub duplicates: f64,
    /// Share of payments that ask not to wait (Prefer: respond-async) and are followed up.
    #[arg(long = "async", value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    pub asynchronous: f64,
    /// Share of payments whose first request its client breaks off before the answer, and then repeats.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    pub impatient: f64,
    /// Share of charges that fail at the gateway of a service of its own; 0.3 where it is left out.
    #[arg(long, value_name = "SHARE", conflicts_with = "url", value_parser = share)]
    pub failure_rate: Option<f64>,
    /// A running service. Left out, one is started, with a gateway in a process beside it.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    pub url: Option<Url>,
    /// The gateway that the service at --url pays at, such as http://127.0.0.1:8001/fake-gateway: its
    /// books tell who was charged twice. Without it, answers alone are judged.
    #[arg(long, value_name = "URL", requires = "url", value_parser = http_url)]
    pub gateway_url: Option<Url>,
    /// Where a service of its own keeps its payments, which stay there. Left out: DATABASE_URL, else
    /// a SQLite file that goes at the end.
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    pub database_url: Option<String>,
    /// The key of an account, where the service asks for one.
    #[arg(long, value_name = "KEY", env = "PAYONCE_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Repeats what another run chose to do; the keys are new all the same.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// How long a payment may take to its final answer, retries included.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub patience: Duration,
    /// Writes a page with plots, which needs no other file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

impl Options {
    /// Share of charges that fail at the gateway of its own.
    pub fn share_of_failures(&self) -> f64 {
        self.failure_rate.unwrap_or(FAILURE_RATE)
    }

    /// What can be told to be wrong before anything is done.
    pub fn check(&self) -> Result<(), Failure> {
        let Some(folder) = self.report.as_ref().and_then(|file| file.parent()) else {
            return Ok(());
        };
        match folder.as_os_str().is_empty() || folder.is_dir() {
            true => Ok(()),
            false => {
                Err(Failure::Usage(format!("--report: there is no folder {}", folder.display())))
            }
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text.parse().ok();
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "must be a share between 0 and 1, such as 0.3".to_owned())
}

fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    url.ok_or_else(|| "must be an http or https address, such as http://127.0.0.1:8000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_between_0_and_1() {
        for good in ["0", "0.3", "1", "1.0"] {
            assert!(share(good).is_ok(), "{good}");
        }
        for bad in ["", "-0.1", "1.01", "30", "30%", "NaN", "inf"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_one_of_http() {
        assert!(http_url("http://127.0.0.1:8000").is_ok());
        for bad in ["", "localhost:8000", "127.0.0.1", "postgres://localhost/x"] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
    }
}
