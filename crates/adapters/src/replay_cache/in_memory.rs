//! Settled answers of this process, in so many bytes.

use std::mem::size_of;
use std::sync::Arc;

use metrics::{Counter, counter, describe_counter};
use payonce_domain::idempotency::{RecordId, SettledAnswer};
use payonce_domain::ports::{CachedAnswer, Clock};
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};

use crate::measurements::Measurements;

const EVICTIONS: &str = "payonce_replay_cache_evictions_total";

/// An answer takes about so much; only how the cache is divided hangs on it.
const USUAL: u64 = 1_024;
/// What the allocator and the cache's own tables add to an answer: a dozen blocks, and a place.
const OVERHEAD: usize = 12 * 16 + 128;

type Answers = Cache<RecordId, Arc<CachedAnswer>, Bytes, DefaultHashBuilder, Counted>;

/// Answers in memory; those asked for least make room for others.
pub struct AnswersInMemory {
    answers: Answers,
    clock: Arc<dyn Clock>,
}

impl AnswersInMemory {
    /// Room for so many bytes of answers, their keys and what holds them; taken as it is used.
    pub fn new(bytes: u64, clock: Arc<dyn Clock>, measurements: &Measurements) -> Self {
        let evictions = measurements.record(|| {
            describe_counter!(EVICTIONS, "Stored answers that left memory to make room.");
            counter!(EVICTIONS)
        });
        let usual = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX).max(1);
        let (hasher, counted) = (DefaultHashBuilder::default(), Counted(evictions));
        Self { answers: Cache::with(usual, bytes, Bytes, hasher, counted), clock }
    }

    /// An answer under that key that is still replayed.
    pub fn find(&self, record: &RecordId) -> Option<Arc<CachedAnswer>> {
        let found = self.answers.get(record)?;
        let now = self.clock.elapsed();
        if found.is_live(now) {
            return Some(found);
        }
        // A newer one may have taken its place meanwhile.
        self.answers.remove_if(record, |kept| !kept.is_live(now));
        None
    }

    /// Takes an answer, unless it is too large to be kept at all.
    pub fn remember(&self, answer: Arc<CachedAnswer>) {
        if answer.is_live(self.clock.elapsed()) {
            self.answers.insert(answer.record.clone(), answer);
        }
    }

    /// How many are kept, expired ones that nobody asked for since included.
    pub fn entries(&self) -> usize {
        self.answers.len()
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> u64 {
        self.answers.weight()
    }
}

/// Weighs everything that an answer keeps in memory.
#[derive(Debug, Clone, Copy)]
struct Bytes;

impl Weighter<RecordId, Arc<CachedAnswer>> for Bytes {
    fn weight(&self, record: &RecordId, cached: &Arc<CachedAnswer>) -> u64 {
        let SettledAnswer { answer, request_id, .. } = &*cached.answer;
        let key = record.account.as_str().len() + record.key.as_str().len();
        let fixed = size_of::<RecordId>() + size_of::<CachedAnswer>() + size_of::<SettledAnswer>();
        let texts = cached.fingerprint.digest.len()
            + answer.content_type.len()
            + answer.location.as_ref().map_or(0, String::len)
            + request_id.as_str().len()
            + answer.body.len();
        // The key is there twice: where it is looked for, and where it is compared.
        u64::try_from(OVERHEAD + fixed + 2 * key + texts).unwrap_or(u64::MAX)
    }
}

/// Counts what makes room.
#[derive(Clone)]
struct Counted(Counter);

impl Lifecycle<RecordId, Arc<CachedAnswer>> for Counted {
    type RequestState = ();

    fn on_evict(&self, _state: &mut (), _record: RecordId, _answer: Arc<CachedAnswer>) {
        self.0.increment(1);
    }
}
