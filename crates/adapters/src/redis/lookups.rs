//! Looks for answers that are made at the same time share a question: Redis, and the task that speaks
//! with it, do the more for each the fewer there are.
//!
//! It waits for nothing: an idle task asks at once, a busy one asks for all that came meanwhile.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::RedisLink;
use crate::wakes::gathered;

/// Looks that wait for their question; more are not made.
const QUEUE: usize = 4_096;

/// Looks that share a question.
const BATCH: usize = 256;

/// What Redis has under a key.
pub type Found = Option<Vec<u8>>;

struct Look {
    key: String,
    reply: oneshot::Sender<Found>,
    asked_at: Instant,
}

/// A queue of looks, and the task that makes them.
pub struct Lookups {
    link: Arc<RedisLink>,
    queue: mpsc::Sender<Look>,
}

impl Lookups {
    /// Starts the task on that runtime; it ends when this is dropped.
    pub fn start(link: Arc<RedisLink>, runtime: &Handle) -> Self {
        let (queue, looks) = mpsc::channel(QUEUE);
        runtime.spawn(answer(Arc::clone(&link), looks));
        Self { link, queue }
    }

    /// What is there; `None` when Redis cannot say in time.
    pub async fn look(&self, key: String) -> Option<Found> {
        if !self.link.is_live() {
            return None;
        }
        let (reply, found) = oneshot::channel();
        self.queue.try_send(Look { key, reply, asked_at: Instant::now() }).ok()?;
        gathered(found).await.ok()
    }
}

async fn answer(link: Arc<RedisLink>, mut queue: mpsc::Receiver<Look>) {
    let mut looks = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut looks, BATCH).await > 0 {
        looks.retain(|look: &Look| !look.reply.is_closed());
        let question = |mut connection| {
            let mut all = redis::cmd("MGET");
            looks.iter().for_each(|look| {
                all.arg(&look.key);
            });
            async move { all.query_async::<Vec<Found>>(&mut connection).await }
        };
        let told = match looks.first() {
            Some(oldest) => link.ask_since(oldest.asked_at, question).await,
            None => None,
        };
        // Who is not told does without.
        for (look, found) in looks.drain(..).zip(told.unwrap_or_default()) {
            let _ = look.reply.send(found);
        }
    }
}
