//! Logs: one JSON object a line, or words on a terminal.

use std::io::IsTerminal;

use json_subscriber::JsonLayer;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::settings::{LogFormat, LogSettings, SettingsError};

/// Starts logging to the error stream, which leaves standard output to commands.
pub fn start(settings: &LogSettings) -> Result<(), SettingsError> {
    let wrong = |error: String| SettingsError::new(vec![format!("log.level: {error}")]);
    let filter = EnvFilter::try_new(&settings.level).map_err(|error| wrong(error.to_string()))?;
    let is_human = match settings.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let registry = Registry::default().with(filter);
    let started = if is_human {
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        registry.with(layer.with_target(false)).try_init()
    } else {
        let mut layer = JsonLayer::stderr();
        layer.with_timer("time", SystemTime);
        layer.with_level("level");
        layer.with_flattened_event();
        registry.with(layer).try_init()
    };
    started.map_err(|error| wrong(error.to_string()))
}
