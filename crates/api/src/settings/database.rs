//! The store.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::Profile;
use super::auth::is_loopback;
use super::masked_url::masked;

/// The store and its connections.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Where it is; the scheme chooses the store.
    pub url: DatabaseUrl,
    /// Whether that is a pooler which gives a session of the server for a transaction only.
    pub pooled: bool,
    /// Where the server behind it is.
    pub direct_url: Option<DatabaseUrl>,
    /// Most connections at a time.
    pub pool_size: usize,
    /// How long a request waits for a connection.
    #[serde(with = "humantime_serde")]
    pub pool_wait: Duration,
    /// What commits the writes of many requests together.
    pub lane: LaneSettings,
    /// Whether migrations run at start; by profile when left out.
    pub migrate_on_start: Option<bool>,
}

impl DatabaseSettings {
    pub(super) fn check(&self, profile: Profile, problems: &mut Vec<String>) {
        if profile == Profile::Production {
            problems.extend(self.url.in_production("url").err());
            let direct_url = self.direct_url.as_ref();
            problems.extend(direct_url.and_then(|url| url.in_production("direct_url").err()));
        }
        self.check_pooler(problems);
        if self.pool_size == 0 {
            problems.push("database.pool_size must be at least 1".to_owned());
        }
        let lane = &self.lane;
        let sizes =
            [("connections", lane.connections), ("batch", lane.batch), ("queue", lane.queue)];
        for (name, size) in sizes {
            if !(1..=LARGEST_LANE).contains(&size) {
                problems.push(format!("database.lane.{name} must be 1 to {LARGEST_LANE}"));
            }
        }
    }
}

impl DatabaseSettings {
    fn check_pooler(&self, problems: &mut Vec<String>) {
        let problem = match (self.pooled, &self.url, &self.direct_url) {
            (false, _, None) | (true, DatabaseUrl::Postgres(_), Some(DatabaseUrl::Postgres(_))) => {
                return;
            }
            (false, _, Some(_)) => "database.direct_url is for database.pooled = true only",
            (true, DatabaseUrl::Sqlite(_), _) => "database.pooled is for postgres:// only",
            (true, _, _) => {
                "database.direct_url must be set with database.pooled, to postgres://… past the \
                 pooler: migrations, and news of other instances, need a session that lasts"
            }
        };
        problems.push(problem.to_owned());
    }
}

/// More than any machine has use for.
const LARGEST_LANE: usize = 1_000_000;

/// Group commit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSettings {
    /// How many connections write at a time, where there is enough to write; SQLite has one.
    pub connections: usize,
    /// Most calls in one transaction.
    pub batch: usize,
    /// Most calls that wait.
    pub queue: usize,
}

/// A connection URL, which may hold a password: it prints without it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub enum DatabaseUrl {
    /// `postgres://…`
    Postgres(SecretString),
    /// `sqlite://path`
    Sqlite(String),
}

impl DatabaseUrl {
    /// The whole URL, for connecting.
    pub fn expose(&self) -> &str {
        match self {
            Self::Postgres(url) => url.expose_secret(),
            Self::Sqlite(url) => url,
        }
    }

    /// Whether it is fit for production; `name` is its setting's.
    fn in_production(&self, name: &str) -> Result<(), String> {
        match self {
            Self::Sqlite(url) if url.starts_with("sqlite:///") => Ok(()),
            Self::Sqlite(_) => Err("database.url (or DATABASE_URL) must be set with profile = \
                \"production\", to postgres://… or to a whole path, sqlite:///…: a relative one is \
                another database wherever the service is started"
                .to_owned()),
            Self::Postgres(url) if is_verified(url.expose_secret()) => Ok(()),
            Self::Postgres(_) => Err(format!(
                "database.{name} must say sslmode=verify-full with profile = \"production\", \
                 unless the server is on this machine"
            )),
        }
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        const RULE: &str =
            "must be sqlite://path, postgres://user:password@host/database or postgresql://…";
        match url.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(url)),
            Some(("postgres" | "postgresql", _)) if Url::parse(&url).is_ok() => {
                Ok(Self::Postgres(url.into()))
            }
            _ => Err(RULE),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(url) => f.write_str(url),
            Self::Postgres(url) => f.write_str(&without_password(url.expose_secret())),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether nobody can listen in on the way to the server, or stand in for it.
fn is_verified(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let last = |wanted: &str| {
        let values = url.query_pairs().filter(|(name, _)| name == wanted);
        values.last().map(|(_, value)| value.into_owned())
    };
    // libpq goes to hostaddr, else to host, whether it stands among the parameters or before them.
    let host = last("hostaddr").or_else(|| last("host"));
    let host = host.or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default();
    let host = host.replace("%2F", "/").replace("%2f", "/");
    let is_here = |host: &str| host.is_empty() || host.starts_with('/') || is_loopback(host);
    host.split(',').all(is_here) || last("sslmode").as_deref() == Some("verify-full")
}

fn without_password(url: &str) -> String {
    masked(url, |url| {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let is_secret = |name: &str| name == "password" || name == "sslpassword";
        if pairs.iter().any(|(name, _)| is_secret(name)) {
            url.query_pairs_mut().clear().extend_pairs(pairs.iter().map(|(name, value)| {
                (name.as_str(), if is_secret(name) { "***" } else { value.as_str() })
            }));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(raw: &str) -> Result<DatabaseUrl, &'static str> {
        DatabaseUrl::try_from(raw.to_owned())
    }

    #[test]
    fn a_password_never_prints() {
        for raw in [
            "postgres://user:hush@host/db",
            "postgresql://user@host/db?password=hush&sslmode=require",
        ] {
            let url = url(raw).unwrap();
            assert!(!format!("{url} {url:?}").contains("hush"), "{url}");
            assert!(url.expose().contains("hush"));
        }
    }

    #[test]
    fn in_production_a_database_elsewhere_is_verified_and_a_file_has_a_whole_path() {
        for raw in [
            "postgres://u:p@db.example/d?sslmode=verify-full",
            "postgres:///d?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/d",
            "postgres:///d",
            "postgres://u@127.0.0.1:5432/d",
            "postgres://[::1]/d",
            "postgres://localhost/d",
            "sqlite:///var/lib/payonce/payonce.db",
        ] {
            assert_eq!(url(raw).unwrap().in_production("url"), Ok(()), "{raw}");
        }
        for raw in [
            "postgres://db.example/d",
            "postgres://db.example/d?sslmode=require",
            "postgres://db.example/d?sslmode=verify-full&sslmode=disable",
            "postgres://localhost/d?host=db.example",
            "postgres://localhost/d?hostaddr=192.0.2.1",
            "postgres://localhost,db.example/d",
            "postgres://127.0.0.1.example/d",
            "sqlite://data/payonce.db",
        ] {
            assert!(url(raw).unwrap().in_production("url").is_err(), "{raw}");
        }
    }

    #[test]
    fn the_scheme_chooses_the_store_and_others_are_refused() {
        assert!(matches!(url("sqlite://data/a.db"), Ok(DatabaseUrl::Sqlite(_))));
        assert!(matches!(url("sqlite:///var/a.db"), Ok(DatabaseUrl::Sqlite(_))));
        assert!(matches!(url("postgres://h/db"), Ok(DatabaseUrl::Postgres(_))));
        for raw in ["mysql://h/db", "data/a.db", "sqlite://", "", "postgres"] {
            assert!(url(raw).is_err(), "{raw}");
        }
    }
}
