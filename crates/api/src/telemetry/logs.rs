//! Logs: one JSON object a line, or words on a terminal.

use std::io::IsTerminal;

use json_subscriber::JsonLayer;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use super::is_own_span;
use crate::settings::{LogFormat, LogSettings, SettingsError};

/// Writes to the error stream, which leaves standard output to commands.
pub(super) fn layer<S>(
    settings: &LogSettings,
) -> Result<Box<dyn Layer<S> + Send + Sync>, SettingsError>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let wrong = |error: String| SettingsError::new(vec![format!("log.level: {error}")]);
    let filter = EnvFilter::try_new(&settings.level).map_err(|error| wrong(error.to_string()))?;
    // Spans cost nothing where only the log could want them.
    let filter = filter
        .and(filter_fn(|metadata| !is_own_span(metadata)).with_max_level_hint(LevelFilter::TRACE));
    let is_human = match settings.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    if is_human {
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        return Ok(layer.with_target(false).with_filter(filter).boxed());
    }
    let mut layer = JsonLayer::stderr();
    layer.with_timer("time", SystemTime);
    layer.with_level("level");
    layer.with_flattened_event();
    Ok(layer.with_filter(filter).boxed())
}
