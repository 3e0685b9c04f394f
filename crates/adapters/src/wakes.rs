//! Those who wait on one thread are woken together. What a task waits for is often found by another thread, for
//! many tasks at a time, and to wake a single one there is a system call: so the first of them wakes a
//! task of their own thread, which wakes all who have followed by then.
//!
//! Must not know what they wait for.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

/// A future whose task is woken together with others of its thread.
#[derive(Debug)]
pub struct Gathered<F> {
    future: F,
    waker: Option<(Arc<Caller>, Waker)>,
}

/// Waits for what another thread finds. Where tasks change their threads, it is as if it waited for that itself.
pub fn gathered<F: Future + Unpin>(future: F) -> Gathered<F> {
    Gathered { future, waker: None }
}

impl<F: Future + Unpin> Future for Gathered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, waker } = &mut *self;
        if waker.as_ref().is_none_or(|(caller, _)| !caller.task.will_wake(cx.waker())) {
            *waker = Bell::here().map(|bell| {
                let caller = Arc::new(Caller { task: cx.waker().clone(), bell });
                (Arc::clone(&caller), Waker::from(caller))
            });
        }
        let waker = waker.as_ref().map_or(cx.waker(), |(_, waker)| waker);
        Pin::new(future).poll(&mut Context::from_waker(waker))
    }
}

/// A task that waits, and how it is woken.
#[derive(Debug)]
struct Caller {
    task: Waker,
    bell: Arc<Bell>,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bell.wake(Arc::clone(self));
    }
}

thread_local! {
    /// The bell of the runtime that this thread has run last.
    static BELL: RefCell<Option<(Id, Arc<Bell>)>> = const { RefCell::new(None) };
}

/// What wakes the tasks of one thread.
#[derive(Debug, Default)]
struct Bell(Mutex<Called>);

#[derive(Debug, Default)]
struct Called {
    callers: Vec<Arc<Caller>>,
    /// Who wakes them, while it sleeps.
    ringer: Option<Waker>,
    /// Nobody does any more.
    is_over: bool,
}

impl Bell {
    /// That of this thread, if tasks stay on it.
    fn here() -> Option<Arc<Self>> {
        let runtime = Handle::try_current().ok()?;
        if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return None;
        }
        BELL.with_borrow_mut(|here| {
            if let Some((id, bell)) = here
                && *id == runtime.id()
            {
                return Some(Arc::clone(bell));
            }
            let bell = Arc::<Self>::default();
            runtime.spawn(Ringer(Arc::clone(&bell)));
            *here = Some((runtime.id(), Arc::clone(&bell)));
            Some(bell)
        })
    }

    /// Wakes the caller, soon and on its thread.
    fn wake(&self, caller: Arc<Caller>) {
        let mut called = self.called();
        if called.is_over {
            drop(called);
            return caller.task.wake_by_ref();
        }
        called.callers.push(caller);
        let ringer = called.ringer.take();
        drop(called);
        ringer.into_iter().for_each(Waker::wake);
    }

    fn called(&self) -> MutexGuard<'_, Called> {
        // No code panics while it holds the lock, so what was called is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that wakes the others.
struct Ringer(Arc<Bell>);

impl Future for Ringer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut called = self.0.called();
            if called.callers.is_empty() {
                called.ringer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let callers = std::mem::take(&mut called.callers);
            drop(called);
            callers.iter().for_each(|caller| caller.task.wake_by_ref());
        }
    }
}

impl Drop for Ringer {
    fn drop(&mut self) {
        let mut called = self.0.called();
        called.is_over = true;
        let callers = std::mem::take(&mut called.callers);
        drop(called);
        callers.iter().for_each(|caller| caller.task.wake_by_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    /// Nothing in these tests takes so long.
    const LONG: Duration = Duration::from_secs(20);

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Counter {
        fn woken(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn ring(ringer: &mut Ringer, waker: &Waker) {
        assert!(Pin::new(ringer).poll(&mut Context::from_waker(waker)).is_pending());
    }

    fn caller(bell: &Arc<Bell>, task: &Arc<Counter>) -> Waker {
        let task = Waker::from(Arc::clone(task));
        Waker::from(Arc::new(Caller { task, bell: Arc::clone(bell) }))
    }

    fn current_thread() -> Runtime {
        Builder::new_current_thread().enable_all().build().expect("it is made")
    }

    /// Waits for what another thread finds as soon as it waits, so that it sleeps unless it is woken.
    async fn found_elsewhere() -> u32 {
        let (found, wait) = oneshot::channel();
        let (mut wait, mut found) = (gathered(wait), Some(found));
        let woken = std::future::poll_fn(move |cx| {
            let polled = Pin::new(&mut wait).poll(cx);
            if let Some(found) = found.take() {
                assert!(polled.is_pending());
                std::thread::spawn(move || found.send(7))
                    .join()
                    .expect("it ends")
                    .expect("it waits");
            }
            polled
        });
        let began = Instant::now();
        let outcome = timeout(LONG, woken).await;
        // At the end of its time it looks once more, and finds what nobody woke it for.
        assert!(began.elapsed() < LONG, "it is woken");
        outcome.expect("it is woken").expect("it is sent")
    }

    #[test]
    fn many_are_woken_by_one_wake_of_their_thread() {
        let (bell, ringers, tasks) =
            (Arc::<Bell>::default(), Arc::<Counter>::default(), Arc::default());
        let (mut ringer, waker) = (Ringer(Arc::clone(&bell)), Waker::from(Arc::clone(&ringers)));
        ring(&mut ringer, &waker);
        for rounds in 1..=2 {
            (0..5).for_each(|_| caller(&bell, &tasks).wake_by_ref());
            assert_eq!((ringers.woken(), tasks.woken()), (rounds, 5 * (rounds - 1)));
            ring(&mut ringer, &waker);
            assert_eq!((ringers.woken(), tasks.woken()), (rounds, 5 * rounds));
        }
    }

    #[test]
    fn whoever_is_called_before_the_first_ring_is_woken_by_it() {
        let (bell, tasks) = (Arc::<Bell>::default(), Arc::default());
        caller(&bell, &tasks).wake();
        ring(&mut Ringer(bell), Waker::noop());
        assert_eq!(tasks.woken(), 1);
    }

    #[test]
    fn nobody_sleeps_on_where_a_runtime_has_ended() {
        let (bell, tasks) = (Arc::<Bell>::default(), Arc::default());
        let ringer = Ringer(Arc::clone(&bell));
        caller(&bell, &tasks).wake();
        assert_eq!(tasks.woken(), 0);
        drop(ringer);
        assert_eq!(tasks.woken(), 1);
        caller(&bell, &tasks).wake();
        assert_eq!(tasks.woken(), 2);
    }

    #[test]
    fn what_another_thread_finds_wakes_a_task_of_any_runtime_and_of_none() {
        assert_eq!(current_thread().block_on(found_elsewhere()), 7);
        let many = Builder::new_multi_thread().enable_all().build().expect("it is made");
        assert_eq!(
            many.block_on(async { tokio::spawn(found_elsewhere()).await }).expect("it ran"),
            7
        );
        let (found, wait) = oneshot::channel();
        let (mut wait, task) = (gathered(wait), Arc::<Counter>::default());
        let waker = Waker::from(Arc::clone(&task));
        assert!(Pin::new(&mut wait).poll(&mut Context::from_waker(&waker)).is_pending());
        found.send(7).expect("it waits");
        assert_eq!(task.woken(), 1);
    }

    #[test]
    fn each_runtime_of_a_thread_wakes_its_own_tasks() {
        let (first, second) = (current_thread(), current_thread());
        for runtime in [&first, &second, &first] {
            assert_eq!(runtime.block_on(found_elsewhere()), 7);
        }
    }
}
