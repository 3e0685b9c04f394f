//! `payonce config show|check`.

use super::print;
use crate::cli::{CommandError, ConfigAction, Sources};
use crate::settings::Layers;
use crate::tls;

/// Prints the effective configuration, or says that it is valid.
pub(crate) fn config(sources: &Sources, action: ConfigAction) -> Result<(), CommandError> {
    let layers = Layers::load(&sources.files)?;
    let lines = match action {
        ConfigAction::Show => layers
            .effective()?
            .into_iter()
            .map(|entry| format!("{} = {}  # {}", entry.key, entry.value, entry.origin))
            .collect(),
        ConfigAction::Check => {
            let settings = layers.settings()?;
            tls::of_listener(&settings.server.tls)?;
            vec!["the configuration is valid".to_owned()]
        }
    };
    print(lines)
}
