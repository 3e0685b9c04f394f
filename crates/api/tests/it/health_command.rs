//! `payonce health`, as a container's health check runs it, and the folder tree of the image.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::app::{Database, TestApp};
use crate::cli::{Process, run};
use crate::hidden::Hidden;

pub async fn a_service_is_healthy_while_it_takes_requests(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let port = app.address.port().to_string();
    for host in ["127.0.0.1", "0.0.0.0", "localhost"] {
        let place = [("PORT", port.as_str()), ("PAYONCE__SERVER__HOST", host)];
        let asked = run(&place, &["health"]).await;
        assert_eq!((asked.code, asked.out.as_str()), (Some(0), "healthy\n"), "{}", asked.err);
    }
    let url = format!("http://{}/healthz", app.address);
    let asked = run(&[], &["health", "--url", &url]).await;
    assert_eq!(asked.code, Some(0), "{}", asked.err);
}

pub async fn what_is_not_healthy_is_told_why(database: Arc<Database>) {
    let hidden = Hidden::new(&database);
    let app = TestApp::start(&database, hidden.url(), &[]);
    let port = app.address.port().to_string();
    let not_ready = run(&[("PORT", port.as_str())], &["health"]).await;
    assert_eq!(not_ready.code, Some(1), "{}", not_ready.out);
    assert!(
        not_ready.err.contains("503") && not_ready.err.contains("/readyz"),
        "{}",
        not_ready.err
    );

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let port = nobody.expect("a port").port().to_string();
    for (variables, reason) in [
        (vec![("PORT", port.as_str())], "asking http://127.0.0.1"),
        (vec![("PORT", "0")], "--url"),
        (vec![("PAYONCE__SERVER__PORT", "many")], "server.port"),
    ] {
        let asked = run(&variables, &["health"]).await;
        assert_eq!(asked.code, Some(1), "{}", asked.out);
        assert!(asked.err.contains(reason), "{}", asked.err);
    }
}

/// Every setting that the compose file names is one, and has a value that it can have.
#[tokio::test]
async fn the_settings_of_the_compose_file_are_good() {
    let file = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let compose = std::fs::read_to_string(file("docker/compose.yaml")).expect("it is there");
    let secret = "0123456789abcdef".repeat(4);
    let settings = compose.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once(": ")?;
        let value = if value.starts_with("${") { &secret } else { value.trim_matches('"') };
        name.starts_with("PAYONCE__").then_some((name, value))
    });
    let mut settings: Vec<_> = settings.collect();
    assert!(settings.len() > 10, "{settings:?}");
    let production = file("config/production.toml");
    settings.push(("PAYONCE_CONFIG", production.to_str().expect("UTF-8")));
    let checked = run(&settings, &["config", "check"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    settings.push(("PAYONCE__FAKE_GATEWAY__LATENCIES", "50ms"));
    let checked = run(&settings, &["config", "check"]).await;
    assert_eq!(checked.code, Some(2), "a setting that there is none of is found");
}

/// What the image's last step but one puts together is what its container runs.
pub async fn the_tree_of_the_image_holds_a_service_that_serves(database: Arc<Database>) {
    let folder = TempDir::new().expect("a temporary folder");
    let tree = folder.path().join("tree");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docker/lay-out");
    let laid_out = Command::new(script)
        .arg(env!("CARGO_BIN_EXE_payonce"))
        .arg(&tree)
        .status()
        .expect("the script runs");
    assert!(laid_out.success());
    for file in ["usr/local/bin/payonce", "etc/payonce/production.toml", "var/lib/payonce"] {
        assert!(tree.join(file).exists(), "{file}");
    }
    let config = tree.join("etc/payonce/production.toml");
    let config = config.to_str().expect("UTF-8");
    let missing = run(&[("PAYONCE_CONFIG", config)], &["config", "check"]).await;
    assert_eq!(missing.code, Some(2), "{}", missing.out);
    for secret in ["gateway.mode", "gateway.http.base_url", "webhooks.secrets", "database.url"] {
        assert!(missing.err.contains(secret), "{secret}: {}", missing.err);
    }
    let mut service = Process::serve(&database, &[]).await;
    let url = format!("{}/readyz", service.url);
    let healthy = Command::new(tree.join("usr/local/bin/payonce"))
        .args(["health", "--url", &url])
        .output()
        .expect("the binary runs");
    assert!(healthy.status.success(), "{}", String::from_utf8_lossy(&healthy.stderr));
    service.send(Signal::TERM);
    assert_eq!(service.ends().await.code(), Some(0));
}
