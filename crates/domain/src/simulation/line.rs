//! The lines of one instance to the store, the gateway and its own timers: what is said arrives
//! later, or twice, or never, and so do the answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::store::Store;
use super::world::{Life, Shared, World, lock};
use crate::payment::PaymentId;
use crate::ports::{BoxedError, Clock, Random, RepositoryError};
use tokio::time::Instant;
use uuid::Uuid;

#[derive(Clone)]
pub(super) struct Line {
    pub(super) world: Shared,
    pub(super) life: Life,
}

struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

/// An answer on its way; there may never be one.
pub(super) struct Reply<T>(Arc<Mutex<Slot<T>>>);

/// Where an answer is given.
pub(super) struct ReplyTo<T>(Arc<Mutex<Slot<T>>>);

impl<T> Clone for ReplyTo<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

pub(super) fn reply<T>() -> (ReplyTo<T>, Reply<T>) {
    let slot = Arc::new(Mutex::new(Slot { value: None, waker: None }));
    (ReplyTo(Arc::clone(&slot)), Reply(slot))
}

impl<T> ReplyTo<T> {
    pub(super) fn give(&self, value: T) {
        let mut slot = lock(&self.0);
        slot.value = Some(value);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }
}

impl<T> Future for Reply<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = lock(&self.0);
        if let Some(value) = slot.value.take() {
            return Poll::Ready(value);
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// What becomes of a call to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    /// Nothing happens, and the caller learns that it may have.
    Lost,
    /// It is committed, and the caller does not learn it.
    Unknown,
    /// It is committed after the caller has given up.
    Late,
    /// The connection breaks, and the adapter repeats the call.
    Repeated,
    /// The same, and the first is committed after the second.
    Overtaken,
}

type Answered<T> = Result<T, RepositoryError>;

type Transaction<T> = dyn Fn(&mut Store) -> Answered<T> + Send + Sync;

fn unavailable() -> RepositoryError {
    RepositoryError::Unavailable(BoxedError::from("the line to the store broke"))
}

impl Line {
    pub(super) async fn sleep(&self, for_so_long: u64) {
        let (to, reply) = reply();
        lock(&self.world).then(for_so_long, Some(self.life), move |_| to.give(()));
        reply.await;
    }

    /// One transaction.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        name: &'static str,
        transaction: impl Fn(&mut Store) -> Answered<T> + Send + Sync + 'static,
    ) -> Answered<T> {
        let (to, reply) = reply();
        self.issue(name, Arc::new(transaction), to);
        reply.await
    }

    fn issue<T: Send + 'static>(
        &self,
        name: &'static str,
        transaction: Arc<Transaction<T>>,
        to: ReplyTo<Answered<T>>,
    ) {
        let world = &mut *lock(&self.world);
        let life = self.life;
        let there = world.chance.between(0, 8);
        let back = world.chance.between(0, 8);
        let is_faulty = !world.is_quiet && world.chance.happens(world.terms.store_faults);
        let fate = match () {
            () if world.is_store_away => Fate::Lost,
            () if is_faulty => world.chance.pick(&[
                Fate::Lost,
                Fate::Unknown,
                Fate::Late,
                Fate::Repeated,
                Fate::Overtaken,
            ]),
            () => Fate::Well,
        };
        world.note(|| format!("{life} asks the store to {name}: {fate:?}"));
        let fail = |to: ReplyTo<Answered<T>>| move |_: &mut World| to.give(Err(unavailable()));
        let commit = |told: Option<ReplyTo<Answered<T>>>| {
            let transaction = Arc::clone(&transaction);
            move |world: &mut World| {
                world.commit(name, life, &*transaction, move |world, answer| {
                    if let Some(to) = told {
                        world.then(back, Some(life), move |_| to.give(answer));
                    }
                });
            }
        };
        let late = world.chance.between(1, 400);
        match fate {
            Fate::Well => world.then(there, Some(life), commit(Some(to))),
            Fate::Lost => world.then(there + back, Some(life), fail(to)),
            Fate::Unknown => {
                world.then(there, Some(life), commit(None));
                world.then(there + back, Some(life), fail(to));
            }
            Fate::Late => {
                world.then(there + late, Some(life), commit(None));
                world.then(there, Some(life), fail(to));
            }
            Fate::Repeated => {
                world.then(there, Some(life), commit(None));
                world.then(there + late / 8, Some(life), commit(Some(to)));
            }
            Fate::Overtaken => {
                world.then(there + late, Some(life), commit(None));
                world.then(there, Some(life), commit(Some(to)));
            }
        }
    }
}

/// Measures the instance's own time, which stands while it is paused and then jumps.
pub(super) struct InstanceClock {
    pub(super) born_at: u64,
    pub(super) start: Instant,
}

impl Clock for InstanceClock {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.born_at) + self.start.elapsed()
    }
}

impl Random for Line {
    fn payment_id(&self) -> PaymentId {
        let chance = &mut lock(&self.world).chance;
        PaymentId(Uuid::from_u64_pair(chance.draw(), chance.draw()))
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }

    fn up_to(&self, bound: Duration) -> Duration {
        let most = bound.as_millis().try_into().expect("short");
        Duration::from_millis(lock(&self.world).chance.between(0, most))
    }
}
