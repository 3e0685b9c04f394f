//! The layers that settings come from.
//!
//! Later wins: the embedded defaults, each file, the variables that are honoured everywhere
//! (`DATABASE_URL`, `REDIS_URL`, `PORT`), and `PAYONCE__…` with `__` between levels.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source, Value, ValueKind};
use url::Url;

use super::{Settings, SettingsError};

const DEFAULTS: &str = include_str!("../../../../config/default.toml");

/// Keys whose values never print.
const SECRETS: [&str; 4] =
    ["auth.metrics_token", "gateway.http.token", "gateway.key_secret", "webhooks.secrets"];

/// Variables honoured as everywhere, and what they set.
const COMMON_VARIABLES: [(&str, &str); 3] =
    [("DATABASE_URL", "database.url"), ("REDIS_URL", "redis.url"), ("PORT", "server.port")];

/// One effective value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveValue {
    /// Its key, with dots between levels.
    pub key: String,
    /// The value, masked where it is a secret.
    pub value: String,
    /// Where it came from.
    pub origin: String,
}

/// The merged layers.
#[derive(Debug)]
pub struct Layers(Config);

impl Layers {
    /// Reads the files and the environment of this process.
    pub fn load(files: &[PathBuf]) -> Result<Self, SettingsError> {
        Self::merge(files, &std::env::vars().collect())
    }

    /// Merges the layers of the given files and variables.
    pub fn merge(
        files: &[PathBuf],
        variables: &Map<String, String>,
    ) -> Result<Self, SettingsError> {
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        for file in files {
            builder = builder.add_source(File::from(file.as_path()).format(FileFormat::Toml));
        }
        let own = Environment::with_prefix("PAYONCE")
            .prefix_separator("__")
            .separator("__")
            .source(Some(variables.clone()));
        builder
            .add_source(CommonVariables(variables.clone()))
            .add_source(own)
            .build()
            .map(Self)
            .map_err(|error| SettingsError::new(vec![one_line(&error)]))
    }

    /// The typed and checked settings.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        let settings: Settings =
            serde_path_to_error::deserialize(self.0.clone()).map_err(|error| {
                let path = error.path().to_string();
                let reason = match is_secret(&path) {
                    true => without_value(one_line(error.inner())),
                    false => one_line(error.inner()),
                };
                SettingsError::new(vec![match path.as_str() {
                    "." => reason,
                    path => format!("{path}: {reason}"),
                }])
            })?;
        settings.check()
    }

    /// Every value with its origin, secrets masked, ordered by key.
    pub fn effective(&self) -> Result<Vec<EffectiveValue>, SettingsError> {
        let tree = self.0.collect().map_err(|error| SettingsError::new(vec![one_line(&error)]))?;
        let mut leaves = BTreeMap::new();
        flatten(String::new(), &Value::new(None, ValueKind::Table(tree)), &mut leaves);
        Ok(leaves.into_values().collect())
    }
}

fn flatten(key: String, value: &Value, leaves: &mut BTreeMap<String, EffectiveValue>) {
    if let ValueKind::Table(table) = &value.kind {
        for (name, value) in table {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            flatten(key, value, leaves);
        }
        return;
    }
    let origin = value.origin().unwrap_or("defaults").to_owned();
    let shown = masked(&key, &value.to_string());
    leaves.insert(key.clone(), EffectiveValue { key, value: shown, origin });
}

fn masked(key: &str, value: &str) -> String {
    if is_secret(key) || sounds_secret(key) {
        return "***".to_owned();
    }
    if key == "redis.url" {
        let url = super::RedisUrl::try_from(value.to_owned());
        return url.map_or_else(|_| "***".to_owned(), |url| url.to_string());
    }
    let is_url = Url::parse(value).is_ok_and(|url| url.password().is_some());
    if matches!(key, "database.url" | "database.direct_url") || is_url {
        let url = super::DatabaseUrl::try_from(value.to_owned());
        return url.map_or_else(|_| "***".to_owned(), |url| url.to_string());
    }
    value.to_owned()
}

/// A secret, or what somebody wrote below it.
fn is_secret(key: &str) -> bool {
    let rest = SECRETS.iter().find_map(|secret| key.strip_prefix(secret));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A key that there is none of may be a secret's, mistyped.
fn sounds_secret(key: &str) -> bool {
    ["secret", "token", "password"].iter().any(|word| key.contains(word))
}

/// The library's own words repeat the value; those of a setting's rule do not.
fn without_value(reason: String) -> String {
    match reason.starts_with("invalid ") {
        true => "has a value of the wrong type".to_owned(),
        false => reason,
    }
}

/// A configuration error's own words, without line breaks. Those of a file's syntax quote the line,
/// which may hold a secret: the place and the rule are enough.
fn one_line(error: &ConfigError) -> String {
    let text = match error {
        ConfigError::FileParse { uri, cause } => {
            let cause = cause.to_string();
            let lines: Vec<_> = cause.lines().map(str::trim).collect();
            let is_quote = |line: &&&str| line.contains('|');
            let told: Vec<_> = lines.iter().filter(|line| !is_quote(line)).copied().collect();
            format!("{}: {}", uri.as_deref().unwrap_or("a file"), told.join(" "))
        }
        error => error.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `DATABASE_URL`, `REDIS_URL` and `PORT`.
#[derive(Debug, Clone)]
struct CommonVariables(Map<String, String>);

impl Source for CommonVariables {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let set = COMMON_VARIABLES.iter().filter_map(|(variable, key)| {
            let value = self.0.get(*variable).filter(|value| !value.is_empty())?;
            let origin = (*variable).to_owned();
            Some(((*key).to_owned(), Value::new(Some(&origin), value.as_str())))
        });
        Ok(set.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn with(variables: &[(&str, &str)]) -> Layers {
        let variables =
            variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Layers::merge(&[], &variables).expect("well formed")
    }

    fn problem(variables: &[(&str, &str)]) -> String {
        with(variables).settings().expect_err("must be refused").to_string()
    }

    #[test]
    fn the_defaults_are_complete_and_valid() {
        let settings = with(&[]).settings().expect("valid");
        assert_eq!(settings.server.port, 8000);
        assert_eq!(settings.database.url.to_string(), "sqlite://data/payonce.db");
        assert_eq!(settings.idempotency.retention.as_secs(), 86_400);
        assert!(settings.migrate_on_start());
    }

    #[test]
    fn later_layers_win() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "[server]\nport = 1\nhost = \"::1\"").expect("written");
        let files = [file.path().to_owned()];
        let variables = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let port = |pairs: &[(&str, &str)]| {
            let layers = Layers::merge(&files, &variables(pairs)).expect("well formed");
            layers.settings().expect("valid").server.port
        };
        assert_eq!(port(&[]), 1);
        assert_eq!(port(&[("PORT", "2")]), 2);
        assert_eq!(port(&[("PORT", "2"), ("PAYONCE__SERVER__PORT", "3")]), 3);
        assert_eq!(port(&[("PORT", "")]), 1);
    }

    #[test]
    fn a_wrong_setting_is_named_in_one_line() {
        for (variable, value, named) in [
            ("PAYONCE__SERVER__PROT", "1", "prot"),
            ("PAYONCE__SERVER__PORT", "many", "server.port"),
            ("PAYONCE__IDEMPOTENCY__RETENTION", "soon", "idempotency.retention"),
            ("PAYONCE__IDEMPOTENCY__AFTER_EXPIRY", "pay", "idempotency.after_expiry"),
            ("PAYONCE__IDEMPOTENCY__LEASE", "11s", "idempotency.lease"),
            ("PAYONCE__DATABASE__URL", "mysql://h/d", "database.url"),
            ("PAYONCE__DATABASE__POOL_SIZE", "0", "database.pool_size"),
            ("PAYONCE__DATABASE__POOLED", "true", "database.pooled"),
            ("PAYONCE__DATABASE__DIRECT_URL", "postgres://h/d", "database.direct_url"),
            ("PAYONCE__PAYMENTS__DEFAULT_CURRENCY", "usd", "payments.default_currency"),
            ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "1.5", "gateway.simulated.failure_rate"),
            ("PAYONCE__GATEWAY__KIND", "magic", "gateway.kind"),
            ("PAYONCE__GATEWAY__KIND", "http", "gateway.http.base_url"),
            ("PAYONCE__GATEWAY__HTTP__BASE_URL", "ftp://host", "gateway.http.base_url"),
            ("PAYONCE__GATEWAY__HTTP__TOKEN", "two words", "gateway.http.token"),
            ("PAYONCE__GATEWAY__SIMULATED__MODE", "chaos", "gateway.simulated.mode"),
            ("PAYONCE__FAKE_GATEWAY__MODE", "chaos", "fake_gateway.mode"),
            ("PAYONCE__FAKE_GATEWAY__LATENCY_MIN", "3s", "fake_gateway.latency_min"),
            ("PAYONCE__FAKE_GATEWAY__FAILURE_RATE", "-0.1", "fake_gateway.failure_rate"),
            ("PAYONCE__TELEMETRY__OTLP_ENDPOINT", "collector:4317", "telemetry.otlp_endpoint"),
            ("PAYONCE__TRANSACTIONS__ATTEMPTS", "0", "transactions.attempts"),
            ("PAYONCE__TRANSACTIONS__PROCESSING_DELAY", "9y", "transactions.processing_delay"),
            ("PAYONCE__WEBHOOKS__ACCOUNT", "Nobody", "webhooks.account"),
            ("PAYONCE__WEBHOOKS__SECRETS", "", "webhooks.secrets"),
            ("PAYONCE__WEBHOOKS__SECRETS", "plain", "webhooks.secrets"),
            ("PAYONCE__WEBHOOKS__SECRETS", "whsec_aHVzaA==,whsec_", "webhooks.secrets"),
            ("PAYONCE__PROFILE", "test", "profile"),
            ("PAYONCE__AUTH__MODE", "closed", "auth.mode"),
            ("PAYONCE__AUTH__METRICS_TOKEN", "short", "auth.metrics_token"),
            ("PAYONCE__GATEWAY__MODE", "live", "gateway.mode"),
            ("PAYONCE__SERVER__TLS__KEY", "tls.key", "server.tls.certificate"),
            ("DATABASE_URL", "nonsense", "database.url"),
            ("REDIS_URL", "localhost:6379", "redis.url"),
            ("PAYONCE__REDIS__TIMEOUT", "0s", "redis.timeout"),
            ("PAYONCE__REDIS__PREFIX", "two words", "redis.prefix"),
            ("PAYONCE__RATE_LIMIT__ENABLED", "perhaps", "rate_limit.enabled"),
            ("PAYONCE__RATE_LIMIT__PER_SECOND", "0", "rate_limit.per_second"),
            ("PAYONCE__RATE_LIMIT__PER_SECOND", "1000001", "rate_limit.per_second"),
            ("PAYONCE__RATE_LIMIT__BURST", "0", "rate_limit.burst"),
            ("PAYONCE__RATE_LIMIT__BURST", "-1", "rate_limit.burst"),
        ] {
            let problem = problem(&[(variable, value)]);
            assert!(problem.contains(named), "{variable}: {problem}");
            assert_eq!(problem.lines().count(), 1, "{variable}: {problem}");
        }
    }

    #[test]
    fn webhook_secrets_are_a_list_or_one_text_and_are_never_repeated() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "[webhooks]\nsecrets = [\"whsec_aHVzaA==\", \"whsec_aHVzaDI=\"]")
            .expect("written");
        let listed = Layers::merge(&[file.path().to_owned()], &Map::new()).expect("well formed");
        let text = with(&[("PAYONCE__WEBHOOKS__SECRETS", "whsec_aHVzaA==, whsec_aHVzaDI=")]);
        for layers in [listed, text] {
            assert_eq!(layers.settings().expect("valid").webhooks.secrets.len(), 2);
            let values = layers.effective().expect("well formed");
            let shown = format!("{values:?} {:?}", layers.settings());
            assert!(!shown.contains("aHVza"), "{shown}");
        }
        let problem = problem(&[("PAYONCE__WEBHOOKS__SECRETS", "whsec_aHVzaA==,hush")]);
        assert!(!problem.contains("aHVza") && !problem.contains("hush"), "{problem}");
        assert_eq!(with(&[]).settings().expect("valid").webhooks.secrets.len(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_without_what_it_holds() {
        for contents in [
            "[gateway]\nkey_secret = \"hush",
            "[gateway]\nkey_secret = hush-hush",
            "[gateway]\nkey_secret = \"hush\"\nkey_secret = \"hush-hush\"",
        ] {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            write!(file, "{contents}").expect("written");
            let refused = Layers::merge(&[file.path().to_owned()], &Map::new());
            let problem = refused.expect_err("it is no TOML").to_string();
            let name = file.path().file_name().and_then(|name| name.to_str()).expect("UTF-8");
            assert!(problem.contains(name) && problem.contains("line"), "{problem}");
            assert!(!problem.contains("hush"), "{problem}");
        }
        for contents in
            ["[gateway]\nkey_secret = [\"hush\"]", "[gateway.key_secret]\nhush = \"hush\""]
        {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            write!(file, "{contents}").expect("written");
            let layers = Layers::merge(&[file.path().to_owned()], &Map::new()).expect("it is TOML");
            let problem = layers.settings().expect_err("it is no text").to_string();
            assert!(
                problem.contains("gateway.key_secret") && !problem.contains("hush"),
                "{problem}"
            );
            let shown = format!("{:?}", layers.effective().expect("it shows"));
            assert!(!shown.contains("\"hush\""), "{shown}");
        }
    }

    #[test]
    fn production_refuses_samples_and_simulations_all_at_once() {
        let problem = problem(&[("PAYONCE__PROFILE", "production")]);
        assert!(problem.contains("gateway.kind"), "{problem}");
        assert!(problem.contains("gateway.key_secret"), "{problem}");
        assert!(problem.contains("fake_gateway.enabled"), "{problem}");
    }

    #[test]
    fn production_reaches_its_gateway_by_https_or_on_this_machine() {
        for (base_url, is_refused) in [
            ("https://pay.example/v1", false),
            ("http://127.0.0.1:9000", false),
            ("http://pay.example/v1", true),
        ] {
            let problem = problem(&[
                ("PAYONCE__PROFILE", "production"),
                ("PAYONCE__GATEWAY__KIND", "http"),
                ("PAYONCE__GATEWAY__HTTP__BASE_URL", base_url),
            ]);
            assert_eq!(problem.contains("gateway.http.base_url must be https"), is_refused);
        }
    }

    #[test]
    fn effective_values_name_their_origin_and_hide_secrets() {
        let layers = with(&[
            ("DATABASE_URL", "postgres://u:hush@h/d"),
            ("REDIS_URL", "redis://u:hush@h/1"),
            ("PAYONCE__GATEWAY__KEY_SECRET", "hush-hush-hush-hush"),
            ("PAYONCE__GATEWAY__HTTP__TOKEN", "hush-hush"),
            ("PAYONCE__GATEWAY__TOKEN", "hush-hush"),
            ("PAYONCE__AUTH__METRICS_TOKEN", "hush-hush"),
            ("PAYONCE__WEBHOOKS__SECRETS", "whsec_hush"),
        ]);
        let values = layers.effective().expect("well formed");
        assert!(!format!("{values:?}").contains("hush"), "{values:?}");
        let value = |key: &str| values.iter().find(|value| value.key == key).expect(key).clone();
        assert_eq!(value("database.url").origin, "DATABASE_URL");
        assert_eq!(value("redis.url").value, "redis://u:***@h/1");
        assert_eq!(value("server.port").origin, "defaults");
        assert_eq!(value("gateway.key_secret").value, "***");
    }
}
