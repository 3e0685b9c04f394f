//! Where the adapters' measurements go: the recorder of one service, so that several services in
//! one process are told apart. Must not know how measurements are shown.

use std::fmt;
use std::sync::Arc;

use metrics::{NoopRecorder, Recorder};

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
