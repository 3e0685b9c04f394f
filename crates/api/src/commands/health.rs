//! `payonce health`: asks a service that runs whether it takes requests.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, redirect};
use serde_json::Value;
use url::Url;

use super::{chain, print, runtime};
use crate::cli::{CommandError, Sources};
use crate::settings::{Layers, ServerSettings};
use crate::wiring::choose_cryptography;

/// Longer than a service takes to find out that its database does not answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// Succeeds where the service answers 200. Without a URL it is the one that this configuration
/// would serve, on this machine.
pub(crate) fn health(sources: &Sources, url: Option<Url>) -> Result<(), CommandError> {
    choose_cryptography();
    let mut client =
        Client::builder().no_proxy().timeout(PATIENCE).redirect(redirect::Policy::none());
    let url = match url {
        Some(url) => url,
        None => {
            // Its certificate is made out to another name than this machine's own address; nothing
            // secret is said.
            client = client.tls_certs_only([]).tls_danger_accept_invalid_certs(true);
            own_url(sources)?
        }
    };
    let failed = |error: reqwest::Error| {
        CommandError::failed(&format!("asking {url}"), chain(error.without_url()))
    };
    let client = client.build().map_err(failed)?;
    let (status, body) = runtime()?.block_on(async {
        let answer = client.get(url.clone()).send().await.map_err(failed)?;
        Ok::<_, CommandError>((answer.status(), answer.text().await.map_err(failed)?))
    })?;
    if status.is_success() {
        return print(["healthy"]);
    }
    let problem: Value = serde_json::from_str(&body).unwrap_or_default();
    let detail = problem.get("detail").and_then(Value::as_str).unwrap_or("no reason given");
    Err(CommandError::Failed(format!("{url} answers {status}: {detail}")))
}

/// A wrong configuration is a failure like any other here: who asks wants one of two answers.
fn own_url(sources: &Sources) -> Result<Url, CommandError> {
    let failed = |error| CommandError::failed("reading the configuration", error);
    let settings = Layers::load(&sources.files).and_then(|layers| layers.settings());
    let server = settings.map_err(failed)?.server;
    if server.port == 0 {
        let problem = "server.port is 0, so that only the system knows the port: name it by --url";
        return Err(CommandError::Failed(problem.to_owned()));
    }
    let url = readiness_url(&server);
    Url::parse(&url).map_err(|error| CommandError::failed(&format!("reading {url}"), error))
}

fn readiness_url(server: &ServerSettings) -> String {
    let scheme = if server.tls.certificate.is_some() { "https" } else { "http" };
    let host = match server.host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => "[::1]".to_owned(),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => server.host.clone(),
    };
    format!("{scheme}://{host}:{}/readyz", server.port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Layers;

    #[test]
    fn a_service_is_asked_where_it_listens() {
        for (host, asked) in [
            ("127.0.0.1", "http://127.0.0.1:8000/readyz"),
            ("0.0.0.0", "http://127.0.0.1:8000/readyz"),
            ("::", "http://[::1]:8000/readyz"),
            ("fd00::7", "http://[fd00::7]:8000/readyz"),
            ("localhost", "http://localhost:8000/readyz"),
        ] {
            let host = [("PAYONCE__SERVER__HOST".to_owned(), host.to_owned())].into();
            let layers = Layers::merge(&[], &host).expect("the defaults are right");
            let server = layers.settings().expect("the defaults are right").server;
            assert_eq!(readiness_url(&server), asked);
            assert!(Url::parse(asked).is_ok());
        }
    }
}
