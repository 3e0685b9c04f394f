//! Gauges that are read the moment somebody asks; reading them asks no database.

use std::sync::Arc;

use metrics::{Gauge, describe_gauge, gauge};
use payonce_domain::use_cases::Waiters;
use tokio_util::task::TaskTracker;

use super::Metrics;
use crate::wiring::{AnswersInMemory, Circuit, CircuitState, Pooled};

const WAITERS: &str = "payonce_waiters";
const UNDER_WAY: &str = "payonce_payments_under_way";
const CIRCUIT: &str = "payonce_gateway_circuit";
const ANSWERS: &str = "payonce_replay_cache_entries";
const ANSWER_BYTES: &str = "payonce_replay_cache_bytes";
const POOL_LIMIT: &str = "payonce_pool_limit";
const POOL_OPEN: &str = "payonce_pool_connections";
const POOL_IN_USE: &str = "payonce_pool_connections_in_use";
const POOL_WAITING: &str = "payonce_pool_waiting";

/// What is read when somebody asks.
pub struct LiveGauges {
    waiters: Arc<Waiters>,
    tasks: TaskTracker,
    pools: Arc<dyn Pooled>,
    circuit: Option<Arc<dyn Circuit>>,
    answers: Option<Arc<AnswersInMemory>>,
    gauges: Gauges,
}

struct Gauges {
    waiters: Gauge,
    under_way: Gauge,
}

impl LiveGauges {
    /// Reads these.
    pub fn new(
        metrics: &Metrics,
        waiters: Arc<Waiters>,
        tasks: TaskTracker,
        pools: Arc<dyn Pooled>,
        circuit: Option<Arc<dyn Circuit>>,
    ) -> Self {
        let gauges = metrics.record(|| {
            describe_gauge!(WAITERS, "Duplicates that wait here for a payment under way.");
            describe_gauge!(UNDER_WAY, "Tasks that open, pay or recover a payment here.");
            describe_gauge!(CIRCUIT, "1 for the state that the circuit to the gateway is in.");
            describe_gauge!(POOL_LIMIT, "Most connections at a time.");
            describe_gauge!(POOL_OPEN, "Connections that are open.");
            describe_gauge!(POOL_IN_USE, "Connections at work.");
            describe_gauge!(POOL_WAITING, "Callers that wait for a connection.");
            Gauges { waiters: gauge!(WAITERS), under_way: gauge!(UNDER_WAY) }
        });
        Self { waiters, tasks, pools, circuit, answers: None, gauges }
    }

    /// Reads also what is kept in memory, where anything is.
    #[must_use]
    pub fn with_answers(self, metrics: &Metrics, answers: Option<Arc<AnswersInMemory>>) -> Self {
        metrics.record(|| {
            describe_gauge!(ANSWERS, "Stored answers in memory.");
            describe_gauge!(ANSWER_BYTES, "The bytes that stored answers take in memory.");
        });
        Self { answers, ..self }
    }

    /// Sets every gauge to what it is now.
    pub fn read(&self, metrics: &Metrics) {
        self.gauges.waiters.set(float(self.waiters.waiting()));
        self.gauges.under_way.set(float(self.tasks.len()));
        metrics.record(|| {
            for pool in self.pools.pool_use() {
                let set = |name: &'static str, value| {
                    gauge!(name, "pool" => pool.pool).set(float(value));
                };
                set(POOL_LIMIT, pool.limit);
                set(POOL_OPEN, pool.open);
                set(POOL_IN_USE, pool.in_use);
                set(POOL_WAITING, pool.waiting);
            }
            if let Some(answers) = &self.answers {
                gauge!(ANSWERS).set(float(answers.entries()));
                // No machine has so many bytes that a float would not hold their number.
                gauge!(ANSWER_BYTES).set(answers.bytes() as f64);
            }
            if let Some(circuit) = &self.circuit {
                let now = circuit.state();
                for state in CircuitState::ALL {
                    let is_it = float(usize::from(state == now));
                    gauge!(CIRCUIT, "state" => state.as_str()).set(is_it);
                }
            }
        });
    }
}

/// Gauges are floats; no count here is beyond what one holds.
fn float(count: usize) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}
