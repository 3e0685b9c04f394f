//! What becomes of announced transactions, with workers that a test drives by hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use payonce_domain::ports::{BoxedError, Clock, TransactionProcessor};
use payonce_domain::transaction::Transaction;
use payonce_domain::use_cases::{ProcessTransactions, ProcessingTerms, TransactionsUnderWay};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::answer::{Answer, utc};
use crate::app::{Database, TestApp};
use crate::webhooks::{BODY, key, webhook};

const AT_ONCE: [(&str, &str); 1] = [("PAYONCE__TRANSACTIONS__PROCESSING_DELAY", "0s")];

/// Counts its calls, answers once it is let, and fails while it is told to.
struct Referee {
    calls: Mutex<HashMap<String, u32>>,
    may_answer: Semaphore,
    fails: Mutex<bool>,
}

impl Referee {
    fn new(answers: usize) -> Arc<Self> {
        let may_answer = Semaphore::new(answers);
        Arc::new(Self { calls: Mutex::default(), may_answer, fails: Mutex::new(false) })
    }

    fn calls(&self) -> HashMap<String, u32> {
        self.calls.lock().expect("nobody panics here").clone()
    }
}

#[async_trait]
impl TransactionProcessor for Referee {
    async fn process(&self, transaction: &Transaction) -> Result<(), BoxedError> {
        let id = transaction.key.id.to_string();
        *self.calls.lock().expect("nobody panics here").entry(id).or_default() += 1;
        self.may_answer.acquire().await?.forget();
        let fails = *self.fails.lock().expect("nobody panics here");
        if fails { Err("no".into()) } else { Ok(()) }
    }
}

struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A worker on the store of a service.
fn worker(app: &TestApp, referee: &Arc<Referee>, at_a_time: u32) -> Arc<ProcessTransactions> {
    Arc::new(ProcessTransactions {
        repository: Arc::clone(&app.store.transactions),
        processor: Arc::clone(referee) as Arc<dyn TransactionProcessor>,
        clock: Arc::new(RuntimeClock(Instant::now())),
        tasks: TaskTracker::new(),
        bell: Arc::default(),
        terms: ProcessingTerms {
            attempts: 2,
            timeout: Duration::from_secs(600),
            lease: Duration::from_secs(3_600),
            first_delay: Duration::ZERO,
            longest_delay: Duration::ZERO,
            at_a_time,
        },
    })
}

/// Works until nothing is due; returns how many it processed.
async fn work(worker: &ProcessTransactions) -> usize {
    let mut under_way = TransactionsUnderWay::default();
    let mut processed = 0;
    loop {
        let begun = worker.begin(&mut under_way).await.expect("the store answers");
        if begun.taken == 0 && under_way.running() == 0 {
            return processed;
        }
        under_way.ended().await;
        let written = worker.write_down(&mut under_way).await;
        assert!(written.failures.is_empty() && written.lost == 0, "{written:?}");
        processed += written.processed;
    }
}

async fn announce(app: &TestApp, id: &str) {
    Answer::to(webhook(app, BODY.replace("txn_abc123", id))).await.is(202);
}

pub async fn a_processed_transaction_says_so_and_stays_so(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &AT_ONCE).await;
    announce(&app, "t").await;
    let referee = Referee::new(9);
    let worker = worker(&app, &referee, 10);
    assert_eq!(work(&worker).await, 1);
    let shown = app.get("/v1/transactions/t").await;
    assert_eq!(shown.is(200).json()["status"], "PROCESSED");
    let time = |name: &str| utc(shown.json()[name].as_str().expect("a time"));
    assert!(time("processed_at") >= time("created_at"));

    announce(&app, "t").await;
    Answer::to(webhook(&app, BODY.replace("txn_abc123", "t").replace("1500", "7"))).await.is(202);
    assert_eq!(work(&worker).await, 0);
    assert_eq!(app.get("/v1/transactions/t").await.text(), shown.text());
    assert_eq!(referee.calls(), HashMap::from([("t".to_owned(), 1)]));
}

pub async fn a_transaction_is_not_processed_before_its_time(database: Arc<Database>) {
    let later = [("PAYONCE__TRANSACTIONS__PROCESSING_DELAY", "1h")];
    let app = TestApp::spawn(&database, &later).await;
    announce(&app, "t").await;
    let referee = Referee::new(9);
    assert_eq!(work(&worker(&app, &referee, 10)).await, 0);
    assert_eq!(app.get("/v1/transactions/t").await.json()["status"], "PROCESSING");
    assert_eq!(referee.calls(), HashMap::new());
}

pub async fn eight_workers_at_two_instances_call_once_for_each_transaction(
    database: Arc<Database>,
) {
    let apps =
        [TestApp::spawn(&database, &AT_ONCE).await, TestApp::spawn(&database, &AT_ONCE).await];
    let announce_some = |from: usize| {
        join_all((from..from + 100).map(|n| {
            let (app, id) = (apps[n % 2].clone(), format!("t{}", from + n % 60));
            async move { announce(&app, &id).await }
        }))
    };
    announce_some(0).await;
    let referee = Referee::new(10_000);
    let workers: Vec<_> = (0..8)
        .map(|n| {
            let worker = worker(&apps[n % 2], &referee, 4);
            tokio::spawn(async move { work(&worker).await })
        })
        .collect();
    // More come in while they work.
    announce_some(100).await;
    let mut processed = 0;
    for worker in workers {
        processed += worker.await.expect("it works");
    }
    let rest = worker(&apps[0], &referee, 100);
    processed += work(&rest).await;
    assert_eq!(processed, 120);
    let calls = referee.calls();
    assert_eq!(calls.len(), 120);
    assert!(calls.values().all(|times| *times == 1), "{calls:?}");
}

pub async fn nothing_is_held_while_transactions_are_worked_on(database: Arc<Database>) {
    let [delay] = AT_ONCE;
    let one = [delay, ("PAYONCE__DATABASE__POOL_SIZE", "1")];
    let app = TestApp::spawn(&database, &one).await;
    for n in 0..20 {
        announce(&app, &format!("t{n}")).await;
    }
    let referee = Referee::new(0);
    let worker = worker(&app, &referee, 100);
    let mut under_way = TransactionsUnderWay::default();
    assert_eq!(worker.begin(&mut under_way).await.expect("it begins").taken, 20);
    // The only connection serves everybody else, while 20 calls do not answer.
    announce(&app, "meanwhile").await;
    assert_eq!(app.get("/v1/transactions/t0").await.json()["status"], "PROCESSING");
    assert_eq!(under_way.running(), 20);
    referee.may_answer.add_permits(20);
    while under_way.running() > 0 {
        under_way.ended().await;
        assert!(worker.write_down(&mut under_way).await.failures.is_empty());
    }
    assert_eq!(app.get("/v1/transactions/t0").await.json()["status"], "PROCESSED");
}

pub async fn what_fails_at_every_attempt_is_kept_for_an_operator(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &AT_ONCE).await;
    announce(&app, "t").await;
    let referee = Referee::new(9);
    *referee.fails.lock().expect("nobody panics here") = true;
    let worker = worker(&app, &referee, 10);
    assert_eq!(work(&worker).await, 0);
    assert_eq!(referee.calls(), HashMap::from([("t".to_owned(), 2)]));
    assert_eq!(app.get("/v1/transactions/t").await.json()["status"], "PROCESSING");
    let account = "default".parse().expect("an account");
    let dead = app.store.transactions.dead(&account, 10).await.expect("it lists");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].last_failure.as_deref(), Some("no"));

    *referee.fails.lock().expect("nobody panics here") = false;
    assert!(app.store.transactions.revive(&key("t")).await.expect("it revives"));
    assert_eq!(work(&worker).await, 1);
    assert_eq!(app.get("/v1/transactions/t").await.json()["status"], "PROCESSED");
}
