//! Metrics of one service, shown in Prometheus' text format.
//!
//! The recorder is the service's own and not the process': several services in one process are
//! told apart. Labels come from closed sets; no key, id, account or raw path is ever one.

use std::sync::Arc;

use metrics::{Recorder, describe_gauge, gauge};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

/// Upper bounds, in seconds: from a replay out of memory to the longest request.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The metrics of one service.
#[derive(Debug)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    shown: PrometheusHandle,
}

/// Writes in one transaction.
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

impl Metrics {
    /// Begins at zero.
    pub fn new() -> Result<Self, BuildError> {
        let times = Matcher::Suffix("_duration_seconds".to_owned());
        let sizes = Matcher::Suffix("_batch_calls".to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(times, &BUCKETS)?
            .set_buckets_for_metric(sizes, &SIZES)?;
        let recorder = Arc::new(builder.build_recorder());
        let metrics = Self { shown: recorder.handle(), recorder };
        metrics.record(|| {
            describe_gauge!("payonce_build_info", "Always 1; the label tells the version.");
            gauge!("payonce_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
        });
        Ok(metrics)
    }

    /// Runs what records, by the macros of `metrics`.
    pub fn record<T>(&self, record: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&*self.recorder, record)
    }

    /// Where others record.
    pub fn recorder(&self) -> Arc<dyn Recorder + Send + Sync> {
        self.recorder.clone()
    }

    /// The text.
    pub fn render(&self) -> String {
        self.shown.render()
    }

    /// Adds up what was recorded, so that it does not pile up where nobody asks.
    pub fn add_up(&self) {
        self.shown.run_upkeep();
    }
}
