//! What a worker makes of each outcome, without a store.

use std::sync::Mutex;

use async_trait::async_trait;
use time::macros::datetime;
use tokio::time::{Instant, advance};

use super::*;
use crate::idempotency::Fence;
use crate::ports::{
    BoxedError, MockTransactionProcessor, MockTransactionRepository, TakenTransactions,
};
use crate::use_cases::fixtures;

const TERMS: ProcessingTerms = ProcessingTerms {
    attempts: 3,
    timeout: Duration::from_secs(10),
    lease: Duration::from_secs(20),
    first_delay: Duration::from_secs(1),
    longest_delay: Duration::from_secs(300),
    at_a_time: 2,
};

/// A transaction that was just taken, for the given time.
fn taken(id: &str, attempt: u32) -> Transaction {
    let mut one = fixtures::transaction(id, datetime!(2026-01-01 12:00 UTC));
    one.attempts = attempt - 1;
    assert!(one.take(TERMS.lease, one.created_at));
    one
}

/// Measures the time of the runtime.
struct TestClock(Instant);

impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

fn worker(
    repository: MockTransactionRepository,
    processor: impl TransactionProcessor + 'static,
) -> ProcessTransactions {
    ProcessTransactions {
        repository: Arc::new(repository),
        processor: Arc::new(processor),
        clock: Arc::new(TestClock(Instant::now())),
        tasks: TaskTracker::new(),
        bell: Arc::default(),
        terms: TERMS,
    }
}

/// A store in which these are due, and that notes what it is told.
fn store(
    due: Vec<Transaction>,
) -> (MockTransactionRepository, Arc<Mutex<Vec<ConcludedTransaction>>>) {
    let mut repository = MockTransactionRepository::new();
    repository
        .expect_take_due()
        .times(1)
        .return_once(move |_, _| Ok(TakenTransactions { transactions: due, next_due_in: None }));
    let told = Arc::<Mutex<Vec<ConcludedTransaction>>>::default();
    let notes = Arc::clone(&told);
    repository.expect_conclude().returning(move |batch| {
        let stood = vec![true; batch.len()];
        notes.lock().expect("no test panics here").extend(batch);
        Ok(stood)
    });
    (repository, told)
}

/// Begins, and writes down whatever ends until nothing is under way.
async fn run(worker: &ProcessTransactions) -> WrittenTransactions {
    let mut under_way = TransactionsUnderWay::default();
    worker.begin(&mut under_way).await.expect("it begins");
    let mut all = WrittenTransactions::default();
    while under_way.running() > 0 {
        under_way.ended().await;
        let some = worker.write_down(&mut under_way).await;
        all.processed += some.processed;
        all.retried += some.retried;
        all.dead += some.dead;
        all.interrupted.extend(some.interrupted);
    }
    all
}

fn fails() -> MockTransactionProcessor {
    let mut processor = MockTransactionProcessor::new();
    processor.expect_process().returning(|_| Err("no\u{0}luck".into()));
    processor
}

/// Never answers for the transaction `slow`.
struct HangsAtSlow;

#[async_trait]
impl TransactionProcessor for HangsAtSlow {
    async fn process(&self, transaction: &Transaction) -> Result<(), BoxedError> {
        match transaction.key.id.as_str() {
            "slow" => pending().await,
            _ => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_after_a_doubling_pause_and_the_last_one_is_kept_for_an_operator()
{
    for (attempt, expected) in [(1, Some(1)), (2, Some(2)), (3, None)] {
        let (repository, told) = store(vec![taken("t", attempt)]);
        run(&worker(repository, fails())).await;
        let reason = "no luck".to_owned();
        let verdict = match expected {
            Some(seconds) => {
                TransactionVerdict::RetryLater { after: Duration::from_secs(seconds), reason }
            }
            None => TransactionVerdict::Dead { reason },
        };
        let told = told.lock().expect("no test panics here");
        assert_eq!(told.iter().map(|it| &it.verdict).collect::<Vec<_>>(), [&verdict]);
        assert_eq!(told[0].fence, Fence(1));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_delays_no_other_and_counts_as_failed_in_time() {
    let (repository, told) = store(vec![taken("slow", 1), taken("quick", 1)]);
    let worker = worker(repository, HangsAtSlow);
    let mut under_way = TransactionsUnderWay::default();
    let begun = worker.begin(&mut under_way).await.expect("it begins");
    assert_eq!((begun.taken, begun.has_more), (2, true));
    let began = Instant::now();
    under_way.ended().await;
    assert_eq!(worker.write_down(&mut under_way).await.processed, 1);
    assert_eq!((began.elapsed(), under_way.running()), (Duration::ZERO, 1));
    under_way.ended().await;
    assert_eq!(worker.write_down(&mut under_way).await.retried, 1);
    assert_eq!(began.elapsed(), TERMS.timeout);
    assert_eq!(told.lock().expect("no test panics here").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_while_there_is_no_room() {
    let (repository, _) = store(vec![taken("slow", 1), taken("slow", 1)]);
    let worker = worker(repository, HangsAtSlow);
    let mut under_way = TransactionsUnderWay::default();
    worker.begin(&mut under_way).await.expect("it begins");
    // The mock allows one call: a second would fail the test.
    let begun = worker.begin(&mut under_way).await.expect("it begins with nothing");
    assert_eq!((begun.taken, begun.has_more), (0, true));
}

#[tokio::test(start_paused = true)]
async fn one_whose_owners_all_died_is_not_tried_again() {
    let (repository, told) = store(vec![taken("t", TERMS.attempts + 1)]);
    // A processor that is asked fails the test.
    let written = run(&worker(repository, MockTransactionProcessor::new())).await;
    assert_eq!(written.dead, 1);
    assert_eq!(told.lock().expect("no test panics here").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_slept_through_the_lease_calls_nobody() {
    let mut repository = MockTransactionRepository::new();
    repository.expect_take_due().returning(|_, _| {
        Ok(TakenTransactions { transactions: vec![taken("t", 1)], next_due_in: None })
    });
    let worker = worker(repository, MockTransactionProcessor::new());
    let mut under_way = TransactionsUnderWay::default();
    worker.begin(&mut under_way).await.expect("it begins");
    advance(TERMS.lease).await;
    under_way.ended().await;
    assert!(!under_way.has_unwritten());
}

#[tokio::test(start_paused = true)]
async fn what_a_store_that_is_away_was_not_told_is_told_later() {
    let (mut repository, told) = (MockTransactionRepository::new(), Arc::new(Mutex::new(0)));
    repository.expect_take_due().return_once(|_, _| {
        Ok(TakenTransactions { transactions: vec![taken("t", 1)], next_due_in: None })
    });
    let calls = Arc::clone(&told);
    repository.expect_conclude().returning(move |batch| {
        let mut calls = calls.lock().expect("no test panics here");
        *calls += 1;
        match *calls {
            1 => Err(RepositoryError::Unavailable("away".into())),
            _ => Ok(vec![true; batch.len()]),
        }
    });
    let worker = worker(repository, HangsAtSlow);
    let mut under_way = TransactionsUnderWay::default();
    worker.begin(&mut under_way).await.expect("it begins");
    under_way.ended().await;
    let first = worker.write_down(&mut under_way).await;
    assert_eq!((first.processed, first.failures.len()), (0, 1));
    assert!(under_way.has_unwritten());
    assert_eq!(worker.write_down(&mut under_way).await.processed, 1);
    assert!(!under_way.has_unwritten());
}

#[tokio::test(start_paused = true)]
async fn one_bad_row_stops_no_other() {
    let mut repository = MockTransactionRepository::new();
    repository.expect_take_due().return_once(|_, _| {
        let transactions = vec![taken("bad", 1), taken("good", 1)];
        Ok(TakenTransactions { transactions, next_due_in: None })
    });
    repository.expect_conclude().returning(|batch| {
        if batch.iter().any(|one| one.key.id.as_str() == "bad") {
            return Err(RepositoryError::Refused("no".into()));
        }
        Ok(vec![true; batch.len()])
    });
    let worker = worker(repository, HangsAtSlow);
    let mut under_way = TransactionsUnderWay::default();
    worker.begin(&mut under_way).await.expect("it begins");
    let (mut processed, mut failures) = (0, 0);
    while under_way.running() > 0 {
        under_way.ended().await;
        let written = worker.write_down(&mut under_way).await;
        processed += written.processed;
        failures += written.failures.len();
    }
    assert_eq!((processed, failures), (1, 1));
    assert!(!under_way.has_unwritten());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_is_told_and_left_to_the_next_owner() {
    let mut processor = MockTransactionProcessor::new();
    processor.expect_process().returning(|_| panic!("a fault"));
    let (repository, told) = store(vec![taken("t", 1)]);
    let written = run(&worker(repository, processor)).await;
    assert_eq!(written.interrupted.len(), 1);
    assert!(told.lock().expect("no test panics here").is_empty());
}
