//! `payonce migrate up|down|status`.

use super::{print, runtime};
use crate::cli::{CommandError, MigrateAction, Sources};
use crate::settings::Layers;
use crate::wiring::Store;

/// Changes the schema, or lists its migrations.
pub(crate) fn migrate(sources: &Sources, action: MigrateAction) -> Result<(), CommandError> {
    let settings = Layers::load(&sources.files)?.settings()?;
    let lines = runtime()?.block_on(async {
        let store = Store::new(&settings.database)?;
        let lines = match action {
            MigrateAction::Up => {
                let applied = store.upkeep.migrate_up().await?;
                match applied.is_empty() {
                    true => vec!["nothing is pending".to_owned()],
                    false => applied.iter().map(|name| format!("applied   {name}")).collect(),
                }
            }
            MigrateAction::Down => match store.upkeep.migrate_down().await? {
                Some(name) => vec![format!("reverted  {name}")],
                None => vec!["nothing is applied".to_owned()],
            },
            MigrateAction::Status => {
                let states = store.upkeep.migration_states().await?;
                states.iter().map(ToString::to_string).collect()
            }
        };
        store.upkeep.close();
        Ok(lines)
    });
    let failed = |error: payonce_domain::ports::BoxedError| {
        CommandError::failed(&format!("migrating {}", settings.database.url), error)
    };
    print(lines.map_err(failed)?)
}
