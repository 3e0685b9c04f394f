//! The way from a started process to one that takes requests.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use payonce_domain::gateway::GatewayKeySecret;
use secrecy::ExposeSecret;

use crate::http::Readiness;
use crate::settings::{Profile, Settings, SettingsError};
use crate::wiring::Store;

/// Why the service is not open.
enum NotOpen {
    /// It may be in a moment.
    Yet { reason: &'static str, cause: String },
    /// It never will be with these settings.
    Ever(SettingsError),
}

/// Opens the service once its database is there and migrated, and keeps trying until it is. Fails
/// when the database was used with a setting that must not change.
pub async fn open(
    settings: &Settings,
    store: &Store,
    readiness: &Readiness,
) -> Result<(), SettingsError> {
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .build();
    loop {
        match prepare(settings, store).await {
            Ok(()) => {
                readiness.open();
                tracing::info!("ready");
                return Ok(());
            }
            Err(NotOpen::Ever(error)) => return Err(error),
            Err(NotOpen::Yet { reason, cause }) => {
                readiness.not_yet(reason);
                tracing::warn!(reason, cause, "not ready yet");
            }
        }
        tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(2))).await;
    }
}

async fn prepare(settings: &Settings, store: &Store) -> Result<(), NotOpen> {
    let not_yet = |reason, cause| NotOpen::Yet { reason, cause };
    if settings.migrate_on_start() {
        let applied = store.upkeep.migrate_up().await.map_err(|error| {
            not_yet("the database cannot be reached or migrated", error.to_string())
        })?;
        for migration in applied {
            tracing::info!(migration, "migrated");
        }
    }
    let unready =
        |error| not_yet("the database cannot be reached or is not migrated", format!("{error:?}"));
    store.queries.check().await.map_err(unready)?;
    refuse_pooler(store).await?;
    refuse_risks(settings, store).await?;
    let secret = settings.gateway.key_secret.expose_secret().as_bytes();
    let check_value = GatewayKeySecret::new(secret).check_value();
    if store.pins.pin("gateway.key_secret", &check_value).await.map_err(unready)? {
        for weakness in store.upkeep.weaknesses().await.map_err(unready)? {
            tracing::warn!("the database server has {weakness}");
        }
        return Ok(());
    }
    let problem = "gateway.key_secret is not the one that this database was first used with; \
                   payments under way would be sent under other keys";
    Err(NotOpen::Ever(SettingsError::new(vec![problem.to_owned()])))
}

/// Behind a pooler that the store does not know of, statements and limits end up in the sessions of
/// others.
async fn refuse_pooler(store: &Store) -> Result<(), NotOpen> {
    let meets = store.upkeep.meets_a_pooler().await.map_err(|error| NotOpen::Yet {
        reason: "the database cannot be reached",
        cause: error.to_string(),
    })?;
    let problem = "database.url names a pooler that gives a session for a transaction only: set \
                   database.pooled = true, and database.direct_url to the server behind it";
    match meets {
        true => Err(NotOpen::Ever(SettingsError::new(vec![problem.to_owned()]))),
        false => Ok(()),
    }
}

/// What is committed must stay; in production nothing else is served.
async fn refuse_risks(settings: &Settings, store: &Store) -> Result<(), NotOpen> {
    let risks = store.durability.risks().await.map_err(|error| NotOpen::Yet {
        reason: "the database cannot be reached",
        cause: format!("{error:?}"),
    })?;
    if settings.profile != Profile::Production {
        for risk in risks {
            tracing::warn!("the database server has {risk}: commits may be lost");
        }
        return Ok(());
    }
    let problem = |risk: String| {
        format!(
            "database.url: the server has {risk}, so that commits may be lost: refused with \
             profile = \"production\""
        )
    };
    match risks.is_empty() {
        true => Ok(()),
        false => Err(NotOpen::Ever(SettingsError::new(risks.into_iter().map(problem).collect()))),
    }
}
