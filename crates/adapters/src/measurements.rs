//! Where the adapters' measurements go: the recorder of one service, so that several services in
//! one process are told apart. Must not know how measurements are shown.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Histogram, NoopRecorder, Recorder};

/// The recorder of one service; every clone is the same one.
#[derive(Clone)]
pub struct Measurements(Arc<dyn Recorder + Send + Sync>);

impl Measurements {
    /// Measurements that go to this recorder.
    pub fn to(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        Self(recorder)
    }

    /// Runs what records, by the macros of `metrics`.
    pub(crate) fn record<T>(&self, record: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&*self.0, record)
    }
}

/// Measurements that nobody reads.
impl Default for Measurements {
    fn default() -> Self {
        Self(Arc::new(NoopRecorder))
    }
}

impl fmt::Debug for Measurements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Measurements")
    }
}

/// Durations by the two words that tell them apart, which are few: a histogram is registered when it is
/// first needed, and found again from then on.
pub(crate) struct Durations {
    measurements: Measurements,
    register: Box<dyn Fn(Words) -> Histogram + Send + Sync>,
    registered: RwLock<HashMap<Words, Histogram>>,
}

/// What tells durations apart: a call, and what came of it.
pub(crate) type Words = (&'static str, &'static str);

impl Durations {
    /// None yet; `register` asks the recorder for one, by the macros of `metrics`.
    pub(crate) fn new(
        measurements: Measurements,
        register: impl Fn(Words) -> Histogram + Send + Sync + 'static,
    ) -> Self {
        Self { measurements, register: Box::new(register), registered: RwLock::default() }
    }

    /// Records how long it took.
    pub(crate) fn record(&self, words: Words, took: Duration) {
        let registered = self.registered.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(histogram) = registered.get(&words) {
            return histogram.record(took);
        }
        drop(registered);
        let histogram = self.measurements.record(|| (self.register)(words));
        histogram.record(took);
        let mut registered = self.registered.write().unwrap_or_else(PoisonError::into_inner);
        registered.insert(words, histogram);
    }
}
