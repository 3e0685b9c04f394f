//! The strict profile: what it refuses, all at once.

use std::sync::Arc;

use crate::app::Database;
use crate::cli::run;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/production.toml");
const CHECK: [&str; 4] = ["--config", FILE, "config", "check"];

/// All that the file leaves to the environment.
const COMPLETE: [(&str, &str); 7] = [
    ("DATABASE_URL", "postgres://u:hush@db.example/d?sslmode=verify-full"),
    ("PAYONCE__GATEWAY__KEY_SECRET", "canary-of-production-gateway-keys"),
    ("PAYONCE__GATEWAY__MODE", "live"),
    ("PAYONCE__GATEWAY__HTTP__BASE_URL", "https://pay.example/v1"),
    ("PAYONCE__GATEWAY__HTTP__TOKEN", "canary-of-the-gateway-token"),
    ("PAYONCE__WEBHOOKS__SECRETS", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
    ("PAYONCE__AUTH__METRICS_TOKEN", "canary-of-the-metrics-token"),
];

const SAMPLE: (&str, &str) =
    ("PAYONCE__GATEWAY__KEY_SECRET", "payonce-sample-secret-for-development-only");

fn with(changed: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    COMPLETE.iter().chain(changed).copied().collect()
}

#[tokio::test]
async fn everything_that_is_missing_is_named_at_once() {
    let ended = run(&[SAMPLE], &CHECK).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{}", ended.err);
    let named = [
        "DATABASE_URL",
        "gateway.key_secret",
        "gateway.mode",
        "gateway.http.base_url",
        "gateway.http.token",
        "webhooks.secrets",
        "auth.metrics_token",
    ];
    for setting in named {
        let lines = ended.err.lines().filter(|line| line.contains(setting)).count();
        assert_eq!(lines, 1, "{setting}: {}", ended.err);
    }
    assert_eq!(ended.err.lines().count(), named.len(), "{}", ended.err);
}

#[tokio::test]
async fn a_complete_production_configuration_is_valid() {
    let ended = run(&COMPLETE, &CHECK).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    for origin in COMPLETE {
        let without: Vec<_> = COMPLETE.into_iter().filter(|it| *it != origin).collect();
        let variables = if origin.0 == SAMPLE.0 { with(&[SAMPLE]) } else { without };
        let ended = run(&variables, &CHECK).await;
        assert_eq!((ended.code, ended.err.lines().count()), (Some(2), 1), "{}", ended.err);
    }
}

#[tokio::test]
async fn what_is_not_fit_for_production_is_refused() {
    for (changed, named) in [
        (&[("PAYONCE__AUTH__MODE", "open")][..], "auth.mode"),
        (&[("PAYONCE__AUTH__MODE", "open"), ("PAYONCE__SERVER__HOST", "::")], "auth.mode"),
        (
            &[("PAYONCE__GATEWAY__KIND", "simulated"), ("PAYONCE__GATEWAY__MODE", "test")],
            "gateway.kind",
        ),
        (&[("PAYONCE__FAKE_GATEWAY__ENABLED", "true")], "fake_gateway.enabled"),
        (&[("PAYONCE__GATEWAY__HTTP__BASE_URL", "http://pay.example")], "base_url must be https"),
        (&[("DATABASE_URL", "postgres://db.example/d")], "sslmode=verify-full"),
        (&[("DATABASE_URL", "postgres://db.example/d?sslmode=require")], "sslmode=verify-full"),
        (&[("DATABASE_URL", "sqlite://data/payonce.db")], "database.url"),
        (&[("PAYONCE__WEBHOOKS__SECRETS", "whsec_aHVzaA==")], "webhooks.secrets"),
        (&[("PAYONCE__AUTH__METRICS_TOKEN", "short")], "auth.metrics_token"),
        (&[("PAYONCE__SERVER__TLS__KEY", "tls.key")], "server.tls.certificate"),
        (
            &[
                ("PAYONCE__SERVER__TLS__KEY", "no.key"),
                ("PAYONCE__SERVER__TLS__CERTIFICATE", "no.crt"),
            ],
            "server.tls.certificate",
        ),
    ] {
        let ended = run(&with(changed), &CHECK).await;
        assert_eq!(ended.code, Some(2), "{changed:?}: {}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{changed:?}: {}", ended.err);
        assert!(ended.err.contains(named) && !ended.err.contains("hush"), "{}", ended.err);
    }
    let here = [("PAYONCE__AUTH__MODE", "open"), ("PAYONCE__SERVER__HOST", "127.0.0.1")];
    let ended = run(&with(&here), &CHECK).await;
    assert_eq!(ended.code, Some(0), "open on this machine alone: {}", ended.err);
}

/// A server whose commits may be lost is told apart by its own word.
pub async fn a_database_that_may_lose_commits_is_refused(database: Arc<Database>) {
    let url = match database.is_postgres() {
        true => {
            let and = if database.url().contains("?options=") { "%20" } else { "?options=" };
            format!("{}{and}-csynchronous_commit%3Doff", database.url())
        }
        false => database.url().to_owned(),
    };
    let migrated = run(&[("DATABASE_URL", url.as_str())], &["migrate", "up"]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.err);
    if !database.is_postgres() {
        // Every connection is told to wait for the disk, whatever the file says.
        let store = crate::app::TestApp::spawn(&database, &[]).await.store;
        assert_eq!(store.durability.risks().await.expect("it tells"), Vec::<String>::new());
        return;
    }
    let changed: [(&str, &str); 3] =
        [("DATABASE_URL", &url), ("PORT", "0"), ("PAYONCE__SERVER__HOST", "127.0.0.1")];
    let variables: Vec<_> = COMPLETE.iter().chain(&changed).copied().collect();
    let ended = run(&variables, &["--config", FILE, "serve"]).await;
    assert_ne!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("synchronous_commit = off"), "{}", ended.err);
    assert!(ended.err.contains("database.url"), "{}", ended.err);
}
