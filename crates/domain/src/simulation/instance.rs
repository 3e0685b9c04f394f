//! One instance of the service: the use cases as they are, in a runtime of their own, whose time
//! stands still while it is not driven.
//!
//! A crash drops the runtime with every future in it; a pause leaves it alone while time goes on.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, advance, sleep_until};
use tokio_util::task::TaskTracker;

use super::line::InstanceClock;
use super::ports::{Kept, Spelling, line};
use super::terms::Cache;
use super::world::{Life, Shared, lock};
use crate::gateway::GatewayKeySecret;
use crate::idempotency::RecordId;
use crate::ports::{CachedAnswer, IdempotencyRepository, Random, Sweep};
use crate::use_cases::{
    CreatePayment, CreateTerms, IngestTransaction, PayPayment, ProcessTransactions,
    RecoverPayments, Replays, ResolvePayment, RunningPayments, StoreOpaqueOperation,
    TransactionsUnderWay, Waiters,
};

pub(super) type SharedAnswers = Arc<Mutex<BTreeMap<RecordId, Arc<CachedAnswer>>>>;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wakes one task of an instance, and the instance.
struct TaskWake {
    is_ready: AtomicBool,
    root: Arc<Mutex<Option<Waker>>>,
}

impl Wake for TaskWake {
    fn wake(self: Arc<Self>) {
        self.is_ready.store(true, Ordering::Relaxed);
        if let Some(root) = &*lock(&self.root) {
            root.wake_by_ref();
        }
    }
}

struct Slot {
    task: Task,
    wake: Arc<TaskWake>,
}

/// What a client, an operator or a sender of transactions can ask for.
pub(super) struct Service {
    pub(super) create: Arc<CreatePayment>,
    pub(super) resolve: ResolvePayment,
    pub(super) opaque: StoreOpaqueOperation,
    pub(super) ingest: IngestTransaction,
    waiters: Arc<Waiters>,
}

pub(super) struct Instance {
    pub(super) life: Life,
    pub(super) service: Arc<Service>,
    pub(super) is_paused: bool,
    world: Shared,
    born_at: u64,
    start: Instant,
    // Before the runtime: they may hold timers of it.
    slots: BTreeMap<u64, Slot>,
    next_slot: u64,
    /// Tasks that never end.
    workers: usize,
    root: Arc<Mutex<Option<Waker>>>,
    runtime: Runtime,
}

impl Instance {
    pub(super) fn start(world: &Shared, life: Life, answers: &SharedAnswers) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("it needs nothing of the system");
        let start = runtime.block_on(async { Instant::now() });
        let born_at = lock(world).now;
        let clock = Arc::new(InstanceClock { born_at, start });
        let line = line(world, life);
        let terms = lock(world).terms.clone();
        let waiters = Waiters::new(3);
        let kept = match terms.cache {
            Cache::Off => None,
            Cache::OfEach => Some(SharedAnswers::default()),
            Cache::Shared => Some(Arc::clone(answers)),
        };
        let replays = Arc::new(Replays {
            cache: kept.map(|answers| {
                let (line, clock) = ((*line).clone(), clock.clone());
                Arc::new(Kept { line, clock, answers }) as _
            }),
            clock: clock.clone(),
        });
        let pay = Arc::new(PayPayment {
            repository: line.clone(),
            gateway: line.clone(),
            format: Arc::new(Spelling),
            clock: clock.clone(),
            random: line.clone() as Arc<dyn Random>,
            waiters: waiters.clone(),
            replays: replays.clone(),
            terms: terms.pay,
        });
        let tasks = TaskTracker::new();
        let bell = Arc::new(Notify::new());
        let create = Arc::new(CreatePayment {
            pay: pay.clone(),
            keys: line.clone(),
            waiters: waiters.clone(),
            running: Arc::new(RunningPayments::default()),
            tasks: tasks.clone(),
            bell: bell.clone(),
            terms: CreateTerms {
                key_secret: GatewayKeySecret::new(b"of all instances"),
                after_expiry: terms.after_expiry,
            },
        });
        let transactions_bell = Arc::new(Notify::new());
        let service = Arc::new(Service {
            create,
            resolve: ResolvePayment { pay: pay.clone(), queries: line.clone() },
            opaque: StoreOpaqueOperation {
                repository: line.clone(),
                replays,
                random: line.clone(),
                retention: terms.pay.retention,
                after_expiry: terms.after_expiry,
            },
            ingest: IngestTransaction {
                repository: line.clone(),
                delay: Duration::from_millis(100),
                bell: Some(transactions_bell.clone()),
            },
            waiters,
        });
        let mut instance = Self {
            life,
            service,
            is_paused: false,
            world: Arc::clone(world),
            born_at,
            start,
            slots: BTreeMap::new(),
            // No two lives share a number.
            next_slot: life << 32,
            workers: 0,
            root: Arc::default(),
            runtime,
        };
        let recovery = RecoverPayments { pay, tasks: tasks.clone(), batch: 2, bell: bell.clone() };
        let recovery_line = line.clone();
        instance.spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    () = recovery.bell.notified() => {}
                    () = recovery_line.sleep(150) => {}
                }
                if recovery.execute().await.is_ok_and(|recovered| recovered.has_more) {
                    recovery.bell.notify_one();
                }
            }
        });
        let sweep_line = line.clone();
        let sweep = Sweep { memory: Duration::from_millis(terms.memory), limit: 10 };
        instance.spawn(async move {
            loop {
                sweep_line.sleep(700).await;
                let _swept = IdempotencyRepository::sweep(&*sweep_line, sweep).await;
            }
        });
        if terms.transactions > 0 {
            let process = ProcessTransactions {
                repository: line.clone(),
                processor: line.clone(),
                clock,
                tasks,
                bell: transactions_bell,
                terms: terms.processing,
            };
            instance.spawn(async move {
                let mut under_way = TransactionsUnderWay::default();
                loop {
                    let _begun = process.begin(&mut under_way).await;
                    tokio::select! {
                        biased;
                        () = under_way.ended() => {}
                        () = line.sleep(150) => {}
                    }
                    let _written = process.write_down(&mut under_way).await;
                }
            });
        }
        instance.workers = instance.slots.len();
        instance
    }

    /// Begins a task, which a crash drops with everything else.
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> u64 {
        let id = self.next_slot;
        self.next_slot += 1;
        let is_ready = AtomicBool::new(true);
        let wake = Arc::new(TaskWake { is_ready, root: Arc::clone(&self.root) });
        self.slots.insert(id, Slot { task: Box::pin(task), wake });
        id
    }

    /// Drops one task, as when a client goes away.
    pub(super) fn drop_task(&mut self, id: u64) {
        self.slots.remove(&id);
    }

    /// Whether the client's task is still at it.
    pub(super) fn is_at(&self, id: u64) -> bool {
        self.slots.contains_key(&id)
    }

    pub(super) fn tell_news(&self, payment: crate::payment::PaymentId) {
        self.service.waiters.look_again(payment);
    }

    /// Lets it work until the next event of the world is due.
    pub(super) fn drive(&mut self) {
        let has_ready = self.slots.values().any(|it| it.wake.is_ready.load(Ordering::Relaxed));
        let has_timers =
            self.runtime.metrics().num_alive_tasks() > 0 || self.slots.len() > self.workers;
        if self.is_paused || !(has_ready || has_timers) {
            return;
        }
        let (slots, root, world) = (&mut self.slots, &self.root, &self.world);
        let (start, born_at, life) = (self.start, self.born_at, self.life);
        self.runtime.block_on(async move {
            let now = Duration::from_millis(lock(world).now - born_at);
            let behind = now.saturating_sub(start.elapsed());
            if !behind.is_zero() {
                advance(behind).await;
            }
            let sentinel = Box::pin(sleep_until(Instant::now()));
            Turn { slots, root, world, start, born_at, life, sentinel, idle: 0 }.await;
        });
    }
}

/// How often everything ready has been run without anything more becoming ready.
const DRAINED: u32 = 2;

/// Polls what is ready, in an order of chance, until the next event of the world is due.
struct Turn<'a> {
    slots: &'a mut BTreeMap<u64, Slot>,
    root: &'a Arc<Mutex<Option<Waker>>>,
    world: &'a Shared,
    start: Instant,
    born_at: u64,
    life: Life,
    sentinel: Pin<Box<Sleep>>,
    idle: u32,
}

impl Turn<'_> {
    fn poll_ready(&mut self) -> bool {
        let mut has_polled = false;
        loop {
            let ready: Vec<_> = self
                .slots
                .iter()
                .filter(|(_, slot)| slot.wake.is_ready.load(Ordering::Relaxed))
                .map(|(id, _)| *id)
                .collect();
            let id = match *ready {
                [] => return has_polled,
                [one] => one,
                _ => lock(self.world).chance.pick(&ready),
            };
            has_polled = true;
            let slot = self.slots.get_mut(&id).expect("it is there");
            slot.wake.is_ready.store(false, Ordering::Relaxed);
            let waker = Waker::from(Arc::clone(&slot.wake));
            if slot.task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.slots.remove(&id);
            }
        }
    }
}

impl Future for Turn<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        *lock(self.root) = Some(context.waker().clone());
        lock(self.world).roots.insert(self.life, context.waker().clone());
        self.idle = if self.poll_ready() { 0 } else { self.idle + 1 };
        let next_at = lock(self.world).next_at();
        let next = next_at.map(|at| Duration::from_millis(at.saturating_sub(self.born_at)));
        let is_over = next.is_none_or(|next| next <= self.start.elapsed());
        if !is_over {
            // Time goes on by itself as soon as nothing in the runtime can.
            let until = self.start + next.expect("there is one");
            if self.sentinel.deadline() != until {
                self.sentinel.as_mut().reset(until);
            }
            if self.sentinel.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        if self.idle >= DRAINED {
            return Poll::Ready(());
        }
        // Tasks of the runtime that are ready get their turn, and no time passes.
        let mut again = std::pin::pin!(tokio::task::yield_now());
        let _pending = again.as_mut().poll(context);
        Poll::Pending
    }
}
