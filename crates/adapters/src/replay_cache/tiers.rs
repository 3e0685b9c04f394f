//! Asks memory first, then Redis; what Redis has, memory has from then on.

use std::sync::Arc;

use async_trait::async_trait;
use metrics::{Counter, counter, describe_counter};
use payonce_domain::idempotency::RecordId;
use payonce_domain::ports::{CachedAnswer, ReplayCache};

use super::AnswersInMemory;
use crate::measurements::Measurements;
use crate::redis::AnswersInRedis;

const HITS: &str = "payonce_replay_cache_hits_total";
const MISSES: &str = "payonce_replay_cache_misses_total";

/// The places where settled answers are kept, the nearest first.
pub struct ReplayTiers {
    memory: Option<Arc<AnswersInMemory>>,
    redis: Option<AnswersInRedis>,
    hits_in_memory: Counter,
    hits_in_redis: Counter,
    misses: Counter,
}

impl ReplayTiers {
    /// Those that there are.
    pub fn new(
        memory: Option<Arc<AnswersInMemory>>,
        redis: Option<AnswersInRedis>,
        measurements: &Measurements,
    ) -> Self {
        let (hits_in_memory, hits_in_redis, misses) = measurements.record(|| {
            describe_counter!(HITS, "Stored answers found without asking the database, by where.");
            describe_counter!(MISSES, "Looks for a stored answer that left the database to ask.");
            let hits = |tier: &'static str| counter!(HITS, "tier" => tier);
            (hits("memory"), hits("redis"), counter!(MISSES))
        });
        Self { memory, redis, hits_in_memory, hits_in_redis, misses }
    }

    async fn find_in_redis(&self, record: &RecordId) -> Option<Arc<CachedAnswer>> {
        let found = Arc::new(self.redis.as_ref()?.find(record).await?);
        if let Some(memory) = &self.memory {
            memory.remember(Arc::clone(&found));
        }
        Some(found)
    }
}

#[async_trait]
impl ReplayCache for ReplayTiers {
    async fn find(&self, record: &RecordId) -> Option<Arc<CachedAnswer>> {
        if let Some(found) = self.memory.as_ref().and_then(|memory| memory.find(record)) {
            self.hits_in_memory.increment(1);
            return Some(found);
        }
        let found = self.find_in_redis(record).await;
        let counter = if found.is_some() { &self.hits_in_redis } else { &self.misses };
        counter.increment(1);
        found
    }

    fn remember(&self, answer: Arc<CachedAnswer>) {
        if let Some(redis) = &self.redis {
            redis.remember(Arc::clone(&answer));
        }
        if let Some(memory) = &self.memory {
            memory.remember(answer);
        }
    }
}
