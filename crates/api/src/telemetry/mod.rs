//! What an operator sees of the service from outside: logs, traces, metrics.
//!
//! Nothing here may delay a request or fail one. Must not know what a payment is.

mod backlog;
mod live;
mod logs;
mod metrics;
mod traces;
mod transactions;

use tokio::runtime::Handle;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogSettings, SettingsError, TelemetrySettings};
use traces::Traces;

pub use backlog::watch_backlog;
pub use live::LiveGauges;
pub use metrics::Metrics;
pub use transactions::TransactionMetrics;

/// Logs and traces that have been started. Dropping it sends the traces that are left, so it must
/// go before the runtime does.
pub(crate) struct Telemetry {
    _traces: Option<Traces>,
}

/// Starts logs, and traces where a collector is named; `runtime` carries traces to it.
pub(crate) fn start(
    logs: &LogSettings,
    telemetry: &TelemetrySettings,
    runtime: &Handle,
) -> Result<Telemetry, SettingsError> {
    let traces = telemetry.otlp_endpoint.as_ref();
    let traces = traces.map(|endpoint| Traces::start(endpoint, runtime)).transpose()?;
    let subscriber =
        Registry::default().with(logs::layer(logs)?).with(traces.as_ref().map(Traces::layer));
    subscriber
        .try_init()
        .map_err(|error| SettingsError::new(vec![format!("log.level: {error}")]))?;
    Ok(Telemetry { _traces: traces })
}

/// Whether it is a span of the service's own: those make traces, and are no part of the log.
fn is_own_span(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("payonce")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::LogFormat;

    #[test]
    fn a_span_costs_nothing_where_there_are_only_logs() {
        for format in [LogFormat::Json, LogFormat::Human] {
            let settings = LogSettings { format, level: "trace".to_owned() };
            let logs = logs::layer(&settings).expect("a level");
            tracing::subscriber::with_default(Registry::default().with(logs), || {
                assert!(tracing::info_span!("request").is_disabled());
                assert!(tracing::enabled!(tracing::Level::INFO), "the log is on");
            });
        }
    }
}
