use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use futures_util::future::join_all;

use super::*;

struct Call {
    number: u32,
    reply: oneshot::Sender<u32>,
}

/// Two kinds: the second has numbers from 5000.
impl LaneCall for Call {
    const KINDS: usize = 2;

    fn kind(&self) -> usize {
        usize::from(self.number >= 5000)
    }
}

/// Runs a batch when it is let, notes what was in it, and panics at number 1013.
struct Gated {
    place: usize,
    entered: Sender<usize>,
    gate: Arc<Mutex<Receiver<()>>>,
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl Batches for Gated {
    type Call = Call;

    fn run(&mut self, calls: Vec<Call>) {
        self.entered.send(self.place).expect("the test looks");
        self.gate.lock().expect("nobody panics with it").recv().expect("the test lets it");
        let numbers = calls.iter().map(|call| call.number).collect();
        self.batches.lock().expect("nobody panics with it").push(numbers);
        for call in calls {
            assert_ne!(call.number, 1013);
            let _ = call.reply.send(call.number * 10);
        }
    }
}

struct Scene {
    lane: Arc<Lane<Call>>,
    entered: Receiver<usize>,
    gate: Sender<()>,
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
}

const PATIENT: Duration = Duration::from_secs(60);

/// Nothing in these tests takes so long.
const LONG: Duration = Duration::from_secs(20);

fn scene(batch: usize, queue: usize, wait: Duration) -> Scene {
    scene_of(2, batch, queue, wait)
}

fn scene_of(connections: usize, batch: usize, queue: usize, wait: Duration) -> Scene {
    let (entered, has_entered) = channel();
    let (let_it, gate) = channel();
    let (gate, batches) = (Arc::new(Mutex::new(gate)), Arc::default());
    let threads = (0..connections).map(|place| Gated {
        place,
        entered: entered.clone(),
        gate: Arc::clone(&gate),
        batches: Arc::clone(&batches),
    });
    let options = LaneOptions { connections, batch, queue };
    let lane = Lane::start(&options, wait, &Measurements::default(), threads).expect("threads");
    Scene { lane: Arc::new(lane), entered: has_entered, gate: let_it, batches }
}

impl Scene {
    fn call(&self, number: u32) -> tokio::task::JoinHandle<Result<u32, LaneError>> {
        let lane = self.lane.clone();
        tokio::spawn(async move { lane.call(|reply| Call { number, reply }).await })
    }

    /// Makes the lane busy with a call.
    fn busy(&self, number: u32) -> tokio::task::JoinHandle<Result<u32, LaneError>> {
        let call = self.call(number);
        self.begun();
        call
    }

    /// Waits until a batch begins; tells the place of its thread.
    fn begun(&self) -> usize {
        self.entered.recv_timeout(LONG).expect("it runs")
    }

    async fn queued(&self, waiting: usize) {
        self.until(|lane| lane.waiting >= waiting).await;
    }

    /// Waits until no thread has a batch.
    async fn idle(&self) {
        self.until(|lane| lane.in_use == 0).await;
    }

    async fn until(&self, is_so: impl Fn(PoolUse) -> bool) {
        let it_is = async {
            while !is_so(self.lane.pool_use("lane")) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, it_is).await.expect("it comes so");
    }

    /// Calls with these numbers, which wait.
    async fn crowd(&self, numbers: RangeInclusive<u32>) -> Crowd {
        let calls: Vec<_> = numbers.map(|number| self.call(number)).collect();
        self.queued(calls.len()).await;
        Crowd(calls)
    }

    /// Lets so many batches run.
    fn let_run(&self, batches: usize) {
        (0..batches).for_each(|_| self.gate.send(()).expect("it waits"));
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().expect("nobody panics with it").clone()
    }

    /// How many calls shared a batch, the fewest first.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<_> = self.batches().iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    }
}

struct Crowd(Vec<tokio::task::JoinHandle<Result<u32, LaneError>>>);

impl Crowd {
    async fn all_done(self) {
        let done = join_all(self.0).await;
        assert!(done.into_iter().all(|call| call.is_ok_and(|outcome| outcome.is_ok())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_while_a_batch_runs_share_the_next_one() {
    let scene = scene(256, 100, PATIENT);
    let first = scene.busy(1);
    let others = scene.crowd(2..=50).await;
    scene.let_run(2);
    assert_eq!(first.await.expect("it ran"), Ok(10));
    for (other, number) in join_all(others.0).await.into_iter().zip(2..) {
        assert_eq!(other.expect("it ran"), Ok(number * 10), "each gets its own answer");
    }
    assert_eq!(scene.sizes(), [1, 49]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_for_the_batch_before_though_a_thread_is_idle() {
    let scene = scene(256, 100, PATIENT);
    let first = scene.busy(1);
    let others = scene.crowd(2..=3).await;
    assert_eq!(scene.lane.pool_use("lane").in_use, 1);
    assert!(scene.entered.try_recv().is_err(), "they wait for the first");
    scene.let_run(2);
    first.await.expect("it ran").expect("it is done");
    others.all_done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_different_kinds_are_written_beside_each_other() {
    let scene = scene(8, 100, PATIENT);
    let mut calls = vec![scene.call(1)];
    let of_opening = scene.begun();
    calls.push(scene.call(5000));
    assert_ne!(scene.begun(), of_opening, "each on a thread of its own");
    assert_eq!(scene.lane.pool_use("lane").in_use, 2);
    calls.extend([2, 5001, 3, 5002, 4].map(|number| scene.call(number)));
    scene.queued(5).await;
    scene.let_run(4);
    Crowd(calls).all_done().await;
    assert_eq!(scene.sizes(), [1, 1, 2, 3]);
    let is_of_one_kind =
        |batch: &Vec<u32>| batch.iter().all(|call| (*call < 5000) == (batch[0] < 5000));
    assert!(scene.batches().iter().all(is_of_one_kind), "{:?}", scene.batches());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_after_another_is_written_by_the_same_thread() {
    let scene = scene(256, 100, PATIENT);
    let mut places = Vec::new();
    for number in [1, 5000, 2, 5001, 3, 4] {
        scene.idle().await;
        let call = scene.call(number);
        places.push(scene.begun());
        scene.let_run(1);
        call.await.expect("it ran").expect("it is done");
    }
    places.dedup();
    assert_eq!(places.len(), 1, "its connection is the warmest: {places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_thread_writes_all_kinds_in_the_order_of_arrival() {
    let scene = scene_of(1, 4, 100, PATIENT);
    let first = scene.busy(1);
    let mut calls = Vec::new();
    for (waiting, number) in [5000, 2, 5001, 3, 5002].into_iter().enumerate() {
        calls.push(scene.call(number));
        scene.queued(waiting + 1).await;
    }
    scene.let_run(3);
    first.await.expect("it ran").expect("it is done");
    Crowd(calls).all_done().await;
    assert_eq!(scene.batches(), [vec![1], vec![5000, 2, 5001, 3], vec![5002]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_never_larger_than_it_may_be() {
    let scene = scene_of(1, 4, 100, PATIENT);
    let first = scene.busy(1);
    let others = scene.crowd(2..=11).await;
    scene.let_run(4);
    first.await.expect("it ran").expect("it is done");
    others.all_done().await;
    assert_eq!(scene.sizes(), [1, 2, 4, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_whole_begins_beside_the_one_before() {
    let scene = scene(4, 100, PATIENT);
    let first = scene.busy(1);
    let others = Crowd((2..=5).map(|number| scene.call(number)).collect());
    scene.begun();
    assert_eq!(scene.lane.pool_use("lane").in_use, 2);
    scene.let_run(2);
    first.await.expect("it ran").expect("it is done");
    others.all_done().await;
    assert_eq!(scene.sizes(), [1, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_cannot_hold_is_refused_and_never_runs() {
    let scene = scene(256, 2, PATIENT);
    let first = scene.busy(1);
    let queued = [scene.call(2), scene.call(3)];
    scene.queued(2).await;
    assert_eq!(scene.call(4).await.expect("it ran"), Err(LaneError::Full));
    assert!(matches!(RepositoryError::from(LaneError::Full), RepositoryError::Unavailable(_)));
    (0..2).for_each(|_| scene.gate.send(()).expect("it waits"));
    first.await.expect("it ran").expect("it is done");
    assert!(join_all(queued).await.into_iter().all(|it| it.is_ok_and(|it| it.is_ok())));
    assert!(!scene.batches().concat().contains(&4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_turn_comes_too_late_is_refused_and_never_runs() {
    let scene = scene(256, 100, Duration::from_millis(20));
    let first = scene.busy(1);
    let late = scene.call(2);
    let late = tokio::time::timeout(LONG, late).await.expect("it does not wait for its turn");
    assert_eq!(late.expect("it ran"), Err(LaneError::Late));
    scene.gate.send(()).expect("it waits");
    assert_eq!(first.await.expect("it ran"), Ok(10), "a call whose turn has come is waited for");
    let next = scene.busy(3);
    scene.gate.send(()).expect("it waits");
    next.await.expect("it ran").expect("it is done");
    assert_eq!(scene.batches(), [vec![1], vec![3]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_its_batch_and_not_the_lane() {
    let scene = scene(256, 100, PATIENT);
    let unlucky = scene.busy(1013);
    scene.gate.send(()).expect("it waits");
    assert_eq!(unlucky.await.expect("it ran"), Err(LaneError::Panicked));
    let next = scene.busy(2);
    scene.gate.send(()).expect("it waits");
    assert_eq!(next.await.expect("it ran"), Ok(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_closed_runs_what_is_queued_and_takes_no_more() {
    let scene = scene(256, 100, PATIENT);
    let first = scene.busy(1);
    let queued = scene.call(2);
    scene.queued(1).await;
    scene.lane.close();
    assert_eq!(scene.call(3).await.expect("it ran"), Err(LaneError::Closed));
    (0..2).for_each(|_| scene.gate.send(()).expect("it waits"));
    assert_eq!(first.await.expect("it ran"), Ok(10));
    assert_eq!(queued.await.expect("it ran"), Ok(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_threads_of_a_lane_end_with_it() {
    let scene = scene(256, 100, PATIENT);
    let done = scene.busy(1);
    scene.let_run(1);
    done.await.expect("it ran").expect("it is done");
    let Scene { lane, entered, gate: _gate, batches: _ } = scene;
    drop(lane);
    // Each thread holds a way to say that it has begun, until it ends.
    assert!(entered.recv_timeout(LONG).is_err_and(|error| error == RecvTimeoutError::Disconnected));
}
