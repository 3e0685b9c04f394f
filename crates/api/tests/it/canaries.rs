//! Secrets, looked for wherever they must never show.

use std::sync::Arc;

use rustix::process::Signal;
use serde_json::json;

use crate::answer::Answer;
use crate::app::{BODY, Database};
use crate::auth::KEYS;
use crate::cli::{Process, run};

const TOKEN: &str = "canary-of-the-metrics-token";
const SETTINGS: [(&str, &str); 8] = [
    KEYS,
    ("PAYONCE__LOG__LEVEL", "trace"),
    ("PAYONCE__AUTH__METRICS_TOKEN", TOKEN),
    ("PAYONCE__GATEWAY__KEY_SECRET", "canary-of-the-gateway-keys"),
    ("PAYONCE__GATEWAY__HTTP__TOKEN", "canary-of-the-gateway-token"),
    // "canary-of-the-webhooks", encoded.
    ("PAYONCE__WEBHOOKS__SECRETS", "whsec_Y2FuYXJ5LW9mLXRoZS13ZWJob29rcw=="),
    ("REDIS_URL", "redis://:canary-of-redis@127.0.0.1:1"),
    ("PAYONCE__REDIS__TIMEOUT", "1ms"),
];
const CANARIES: [&str; 2] = ["canary", "Y2FuYXJ5"];

pub async fn no_secret_shows_in_logs_metrics_errors_or_the_database(database: Arc<Database>) {
    let url = database.url().replace("postgres://postgres@", "postgres://postgres:canary@");
    let settings: Vec<_> =
        SETTINGS.iter().copied().chain([("DATABASE_URL", url.as_str())]).collect();
    let migrated = run(&settings, &["migrate", "up"]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.err);
    let made = run(&settings, &["keys", "create", "--account", "shop"]).await;
    let key = made.out.trim_end().to_owned();
    assert!(key.starts_with("po_test_"), "{}", made.err);

    let mut seen = vec![made.err];
    for command in [&["config", "show"][..], &["config", "check"], &["keys", "list"]] {
        let ended = run(&settings, command).await;
        assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.err);
        seen.extend([ended.out, ended.err]);
    }
    for (variable, value) in [
        ("PAYONCE__GATEWAY__KEY_SECRET", "canary"),
        ("PAYONCE__GATEWAY__HTTP__TOKEN", "canary canary"),
        ("PAYONCE__AUTH__METRICS_TOKEN", "canary"),
        ("PAYONCE__WEBHOOKS__SECRETS", "canary,whsec_canary!"),
        ("DATABASE_URL", "mysql://u:canary@h/d"),
        ("REDIS_URL", "http://u:canary@h"),
        ("PAYONCE__GATEWAY__HTTP__BASE_URL", "https://u:canary@h"),
    ] {
        let wrong: Vec<_> = settings.iter().copied().chain([(variable, value)]).collect();
        let ended = run(&wrong, &["config", "check"]).await;
        assert_eq!(ended.code, Some(2), "{variable}");
        seen.extend([ended.out, ended.err]);
    }

    let mut service = Process::serve(&database, &settings).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    for (token, path) in [
        (key.as_str(), "/v1/payments"),
        (&key[..57], "/v1/payments"),
        (TOKEN, "/v1/payments"),
        (TOKEN, "/metrics"),
        (key.as_str(), "/metrics"),
        (key.as_str(), "/nothing"),
    ] {
        let asked = client.get(format!("{}{path}", service.url)).bearer_auth(token);
        let answer = Answer::to(asked).await;
        seen.push(format!("{answer:?}"));
    }
    let paid = service.pay("k", BODY).bearer_auth(&key);
    let paid = Answer::to(paid).await;
    paid.is_first();
    seen.push(format!("{paid:?}"));
    let webhook = client.post(format!("{}/v1/webhooks/transactions", service.url));
    let webhook = webhook.header("webhook-id", "w").header("webhook-timestamp", "1");
    let webhook = webhook.header("webhook-signature", "v1,AAAA").json(&json!({}));
    let refused = Answer::to(webhook).await;
    refused.is(401);
    seen.push(format!("{refused:?}"));
    service.send(Signal::TERM);
    assert_eq!(service.ends().await.code(), Some(0));
    assert!(service.lines.iter().any(|line| line.contains(&key[..20])), "who asked is told");
    seen.append(&mut service.lines);

    for text in &seen {
        for canary in CANARIES.into_iter().chain([&key[20..]]) {
            assert!(!text.contains(canary), "{canary}: {text}");
        }
    }
    if let Some(path) = database.url().strip_prefix("sqlite://") {
        for file in [path.to_owned(), format!("{path}-wal")] {
            let bytes = std::fs::read(file).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("canary") && !text.contains(&key[20..]));
        }
        return;
    }
    for table in ["api_keys", "pinned_settings", "idempotency_records", "payments"] {
        let secret = &key[20..];
        let found = database.number(&format!(
            "SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%canary%' OR t::text LIKE '%{secret}%'"
        ));
        assert_eq!(found, 0, "{table}");
    }
}
