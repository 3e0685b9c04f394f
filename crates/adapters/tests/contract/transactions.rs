//! Announced transactions: stored once, taken by one, concluded by whoever has them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use payonce_adapters::StoreOptions;
use payonce_domain::idempotency::Fence;
use payonce_domain::ports::{
    AnnouncedTransaction, ConcludedTransaction, Ingested, RepositoryError, TakenTransactions,
    TransactionBacklog,
};
use payonce_domain::text::Text;
use payonce_domain::transaction::{
    Transaction, TransactionContents, TransactionId, TransactionKey, TransactionState,
    TransactionVerdict,
};

use crate::fixtures::{LEASE, account, money};
use crate::harness::{Call, Database, OPTIONS, Store, race};

const NOW: Duration = Duration::ZERO;

fn key(id: &str) -> TransactionKey {
    TransactionKey { account: account(), id: TransactionId::parse(id).expect("valid") }
}

fn contents(amount: &str) -> TransactionContents {
    TransactionContents {
        source_account: Text::parse("acc_user_1").expect("valid"),
        destination_account: Text::parse("acc_merchant_1").expect("valid"),
        money: money(amount, "INR"),
    }
}

/// Due at once.
fn announced(id: &str) -> AnnouncedTransaction {
    AnnouncedTransaction { key: key(id), contents: contents("1500"), delay: NOW }
}

async fn ingest(store: &Store, call: AnnouncedTransaction) -> Ingested {
    store.transactions.ingest(call).await.expect("it ingests")
}

fn ingesting(store: &Store, call: AnnouncedTransaction) -> Call<Ingested> {
    let transactions = Arc::clone(&store.transactions);
    Box::pin(async move { transactions.ingest(call).await.expect("it ingests") })
}

async fn find(store: &Store, id: &str) -> Transaction {
    let found = store.transactions.find(&key(id)).await.expect("it finds");
    found.expect("the transaction is known")
}

async fn take(store: &Store, lease: Duration, limit: u32) -> TakenTransactions {
    store.transactions.take_due(lease, limit).await.expect("it takes")
}

async fn take_ids(store: &Store, limit: u32) -> Vec<String> {
    let taken = take(store, LEASE, limit).await.transactions;
    taken.iter().map(|one| one.key.id.to_string()).collect()
}

/// Takes the only one that is due.
async fn take_one(store: &Store, lease: Duration) -> Transaction {
    let mut taken = take(store, lease, 10).await.transactions;
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

fn concluded(taken: &Transaction, verdict: TransactionVerdict) -> ConcludedTransaction {
    ConcludedTransaction { key: taken.key.clone(), fence: taken.fence, verdict }
}

async fn conclude(store: &Store, taken: &Transaction, verdict: TransactionVerdict) -> bool {
    let told = vec![concluded(taken, verdict)];
    store.transactions.conclude(told).await.expect("it concludes").remove(0)
}

fn retry(after: Duration) -> TransactionVerdict {
    TransactionVerdict::RetryLater { after, reason: "no answer".to_owned() }
}

fn dead() -> TransactionVerdict {
    TransactionVerdict::Dead { reason: "no answer".to_owned() }
}

pub async fn a_transaction_is_new_to_one_of_50_racing_callers(database: Arc<Database>) {
    let store = database.store().await;
    let found = race((0..50).map(|_| ingesting(&store, announced("t")))).await;
    let new = found.iter().filter(|one| **one == Ingested::New).count();
    let duplicates = found.iter().filter(|one| **one == Ingested::Duplicate).count();
    assert_eq!((new, duplicates), (1, 49));
    assert_eq!(take(&store, LEASE, 100).await.transactions.len(), 1);
    assert_eq!(store.transactions.conflict(&key("t")).await.expect("it reads"), None);
}

pub async fn of_transactions_announced_at_once_each_is_new_once(database: Arc<Database>) {
    let store = database.store().await;
    let calls = (0..120).map(|n| ingesting(&store, announced(&format!("t{}", n % 40))));
    let found = race(calls).await;
    let new = found.iter().filter(|one| **one == Ingested::New).count();
    let duplicates = found.iter().filter(|one| **one == Ingested::Duplicate).count();
    assert_eq!((new, duplicates), (40, 80));
    assert_eq!(take(&store, LEASE, 100).await.transactions.len(), 40);
}

pub async fn of_two_contents_that_race_the_first_stays_and_every_conflict_is_counted(
    database: Arc<Database>,
) {
    let (one, other) = (database.store().await, database.store().await);
    let calls = (0..50).map(|n| {
        let amount = if n % 2 == 0 { "1500" } else { "1600" };
        let call = AnnouncedTransaction { contents: contents(amount), ..announced("t") };
        ingesting(if n % 3 == 0 { &one } else { &other }, call)
    });
    let found = race(calls).await;
    let count = |is: fn(&Ingested) -> bool| found.iter().filter(|one| is(one)).count();
    assert_eq!(count(|it| *it == Ingested::New), 1);
    assert_eq!(count(|it| *it == Ingested::Duplicate), 24);
    let differs = Ingested::Conflict { fields: vec!["amount"] };
    assert_eq!(found.iter().filter(|it| **it == differs).count(), 25);

    let stored = find(&one, "t").await.contents;
    let conflict = one.transactions.conflict(&key("t")).await.expect("it reads").expect("there");
    assert_eq!(conflict.times, 25);
    assert_ne!(conflict.last_contents, stored);
    assert!([contents("1500"), contents("1600")].contains(&stored));
}

pub async fn a_transaction_is_kept_as_it_was_announced_first(database: Arc<Database>) {
    let store = database.store().await;
    let first = TransactionContents {
        source_account: Text::parse("Łódź/€ 1").expect("valid"),
        destination_account: Text::parse("x".repeat(255)).expect("valid"),
        money: money("92233720368547758.07", "INR"),
    };
    let call = AnnouncedTransaction { contents: first.clone(), ..announced("t") };
    assert_eq!(ingest(&store, call.clone()).await, Ingested::New);
    let others = [
        (
            TransactionContents {
                source_account: Text::parse("y").expect("valid"),
                ..first.clone()
            },
            "source_account",
        ),
        (
            TransactionContents {
                destination_account: Text::parse("y").expect("valid"),
                ..first.clone()
            },
            "destination_account",
        ),
        (TransactionContents { money: money("1", "INR"), ..first.clone() }, "amount"),
    ];
    for (times, (contents, field)) in (1..).zip(others) {
        let other = AnnouncedTransaction { contents: contents.clone(), ..call.clone() };
        assert_eq!(ingest(&store, other).await, Ingested::Conflict { fields: vec![field] });
        let conflict = store.transactions.conflict(&key("t")).await.expect("it reads");
        let conflict = conflict.expect("it was recorded");
        assert_eq!((conflict.times, conflict.last_contents), (times, contents));
    }
    assert_eq!(ingest(&store, call).await, Ingested::Duplicate);
    let stored = find(&store, "t").await;
    assert_eq!((stored.contents, stored.fence, stored.attempts), (first, Fence(0), 0));
}

pub async fn a_transaction_of_another_account_is_another_transaction(database: Arc<Database>) {
    let store = database.store().await;
    let elsewhere = TransactionKey { account: "other".parse().expect("valid"), ..key("t") };
    assert_eq!(ingest(&store, announced("t")).await, Ingested::New);
    assert_eq!(store.transactions.find(&elsewhere).await.expect("it finds"), None);
    let call = AnnouncedTransaction { key: elsewhere, ..announced("t") };
    assert_eq!(ingest(&store, call).await, Ingested::New);
    let taken = take(&store, LEASE, 10).await.transactions;
    assert_eq!(taken.len(), 2, "the queue serves every account");
    let told = taken.iter().map(|one| concluded(one, TransactionVerdict::Processed)).collect();
    let stood = store.transactions.conclude(told).await.expect("it concludes");
    assert_eq!(stood, [true, true]);
}

pub async fn what_is_not_due_is_not_taken_and_is_told_of(database: Arc<Database>) {
    let store = database.store().await;
    let nothing = take(&store, LEASE, 10).await;
    assert_eq!((nothing.transactions, nothing.next_due_in), (vec![], None));
    ingest(&store, AnnouncedTransaction { delay: LEASE, ..announced("later") }).await;
    let taken = take(&store, LEASE, 10).await;
    assert_eq!(taken.transactions, []);
    let next = taken.next_due_in.expect("one waits");
    assert!(next <= LEASE && next > LEASE / 2, "{next:?}");
    ingest(&store, announced("now")).await;
    assert_eq!(take_ids(&store, 10).await, ["now"]);
    assert_eq!(find(&store, "later").await.fence, Fence(0));
}

pub async fn the_oldest_transactions_are_taken_first_and_no_more_than_asked_for(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let ids: Vec<_> = (0..5).map(|n| format!("t{n}")).collect();
    for id in &ids {
        ingest(&store, announced(id)).await;
    }
    let (first, then) = (take_ids(&store, 3).await, take_ids(&store, 3).await);
    assert_eq!((first.len(), then.len()), (3, 2));
    assert_eq!([first, then].concat(), ids);
}

pub async fn eight_workers_never_take_the_same_transaction(database: Arc<Database>) {
    let (one, other) = (database.store().await, database.store().await);
    for n in 0..60 {
        ingest(&one, announced(&format!("t{n}"))).await;
    }
    let calls = (0..8).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { other.clone() };
        let call: Call<Vec<Transaction>> = Box::pin(async move {
            let mut all = Vec::new();
            loop {
                let some = take(&store, LEASE, 5).await.transactions;
                if some.is_empty() {
                    return all;
                }
                all.extend(some);
            }
        });
        call
    });
    let taken: Vec<_> = race(calls).await.into_iter().flatten().collect();
    let distinct: HashSet<_> = taken.iter().map(|it| it.key.clone()).collect();
    assert_eq!(distinct.len(), taken.len(), "none was taken twice");
    assert!(taken.iter().all(|it| it.fence == Fence(1)));
    // Rows that a racing worker held were passed over; nothing is lost.
    let rest = take(&one, LEASE, 100).await.transactions;
    assert_eq!(distinct.len() + rest.len(), 60);
}

pub async fn a_dead_owners_transaction_goes_to_the_next_who_alone_concludes_it(
    database: Arc<Database>,
) {
    let store = database.store().await;
    ingest(&store, announced("t")).await;
    let late = take_one(&store, NOW).await;
    let next = take_one(&store, LEASE).await;
    assert_eq!((next.fence, next.attempts), (Fence(2), 2));
    for verdict in [TransactionVerdict::Processed, retry(NOW), dead()] {
        assert!(!conclude(&store, &late, verdict).await, "it was replaced");
        assert_eq!(find(&store, "t").await.fence, Fence(2));
        assert!(matches!(find(&store, "t").await.state, TransactionState::Running { .. }));
    }
    assert_eq!(take(&store, LEASE, 10).await.transactions, [], "somebody works on it");
    assert!(conclude(&store, &next, TransactionVerdict::Processed).await);
    assert!(find(&store, "t").await.processed_at().is_some());
}

pub async fn an_outcome_is_written_once_and_repeating_it_changes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    ingest(&store, announced("t")).await;
    let taken = take_one(&store, LEASE).await;
    assert!(conclude(&store, &taken, TransactionVerdict::Processed).await);
    let written = find(&store, "t").await;
    for verdict in [TransactionVerdict::Processed, retry(NOW), dead()] {
        assert!(conclude(&store, &taken, verdict).await, "it is ours, and written already");
        assert_eq!(find(&store, "t").await, written);
    }
    assert_eq!(ingest(&store, announced("t")).await, Ingested::Duplicate);
    assert_eq!(find(&store, "t").await, written);
    assert_eq!(take(&store, LEASE, 10).await.transactions, []);
}

/// Without the row's lock both would read the same number.
pub async fn a_conclusion_and_a_take_over_never_both_win(database: Arc<Database>) {
    let store = database.store().await;
    let (mut concluded_first, mut taken_first) = (0, 0);
    for round in 0..60 {
        let id = format!("t{round}");
        ingest(&store, announced(&id)).await;
        let owner = take_one(&store, NOW).await;
        let (concluding, taking) = (store.clone(), store.clone());
        let calls: [Call<usize>; 2] = [
            Box::pin(async move {
                usize::from(conclude(&concluding, &owner, TransactionVerdict::Processed).await)
            }),
            Box::pin(async move { take(&taking, LEASE, 1).await.transactions.len() }),
        ];
        let won = race(calls).await;
        match (won[0], won[1], find(&store, &id).await.state) {
            (1, 0, TransactionState::Processed { .. }) => concluded_first += 1,
            (0, 1, TransactionState::Running { .. }) => taken_first += 1,
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(concluded_first + taken_first, 60);
}

pub async fn a_failed_transaction_waits_for_its_own_pause(database: Arc<Database>) {
    let store = database.store().await;
    for id in ["soon", "late"] {
        ingest(&store, announced(id)).await;
    }
    let taken = take(&store, LEASE, 10).await.transactions;
    let told = taken.iter().zip([NOW, LEASE]).map(|(one, pause)| concluded(one, retry(pause)));
    let stood = store.transactions.conclude(told.collect()).await.expect("it concludes");
    assert_eq!(stood, [true, true]);
    let again = take_one(&store, LEASE).await;
    assert_eq!((again.key, again.attempts, again.fence), (key("soon"), 2, Fence(2)));
    assert_eq!(again.last_failure.as_deref(), Some("no answer"));
    assert!(matches!(find(&store, "late").await.state, TransactionState::Waiting { .. }));
}

pub async fn a_dead_letter_is_kept_and_listed_until_an_operator_revives_it(
    database: Arc<Database>,
) {
    let store = database.store().await;
    for id in ["a", "b", "c"] {
        ingest(&store, announced(id)).await;
        let taken = take_one(&store, LEASE).await;
        assert!(conclude(&store, &taken, dead()).await);
    }
    assert_eq!(take(&store, LEASE, 10).await.transactions, [], "nobody tries it any more");
    let ids = async |limit| -> Vec<String> {
        let letters = store.transactions.dead(&account(), limit).await.expect("it lists");
        letters.iter().map(|one| one.key.id.to_string()).collect()
    };
    assert_eq!(ids(10).await, ["a", "b", "c"]);
    assert_eq!(ids(2).await, ["a", "b"]);
    let elsewhere = "other".parse().expect("valid");
    assert_eq!(store.transactions.dead(&elsewhere, 10).await.expect("it lists"), []);
    assert_eq!(ingest(&store, announced("b")).await, Ingested::Duplicate);

    let revivals = (0..8).map(|_| {
        let transactions = Arc::clone(&store.transactions);
        let call: Call<bool> =
            Box::pin(async move { transactions.revive(&key("b")).await.expect("it revives") });
        call
    });
    let revived = race(revivals).await.into_iter().filter(|is_revived| *is_revived).count();
    assert_eq!(revived, 1);
    assert!(!store.transactions.revive(&key("nobody")).await.expect("it answers"));
    assert_eq!(ids(10).await, ["a", "c"]);
    let taken = take_one(&store, LEASE).await;
    assert_eq!((taken.key.clone(), taken.attempts, taken.fence), (key("b"), 1, Fence(2)));
    assert!(conclude(&store, &taken, TransactionVerdict::Processed).await);
}

pub async fn the_backlog_tells_what_is_due_and_since_when(database: Arc<Database>) {
    let store = database.store().await;
    let backlog = async || store.transactions.backlog().await.expect("it counts");
    assert_eq!(backlog().await, TransactionBacklog::default());
    ingest(&store, AnnouncedTransaction { delay: LEASE, ..announced("later") }).await;
    assert_eq!(backlog().await, TransactionBacklog::default());
    for id in ["dead", "taken", "old", "new"] {
        ingest(&store, announced(id)).await;
    }
    let taken = take(&store, LEASE, 2).await.transactions;
    assert!(conclude(&store, &taken[0], dead()).await);
    let hours_ago = database.hours_before("due_at", 2);
    let aged = format!("UPDATE transactions SET due_at = {hours_ago} WHERE transaction_id = 'old'");
    database.execute(&aged).expect("it runs");
    let found = backlog().await;
    assert_eq!((found.due, found.dead), (2, 1));
    let (two_hours, three_hours) = (Duration::from_secs(7_200), Duration::from_secs(10_800));
    assert!((two_hours..three_hours).contains(&found.oldest_due_for), "{found:?}");
}

pub async fn what_was_accepted_outlives_the_store_that_took_it(database: Arc<Database>) {
    let store = database.store().await;
    ingest(&store, announced("t")).await;
    store.schema.close();
    let heir = database.store().await;
    assert_eq!(ingest(&heir, announced("t")).await, Ingested::Duplicate);
    assert_eq!(take_one(&heir, LEASE).await.contents, contents("1500"));
}

pub async fn a_queue_holds_no_connection_beyond_a_call(database: Arc<Database>) {
    let store = database.store_with(StoreOptions { pool_size: 1, ..OPTIONS }).await;
    let found = race((0..100).map(|n| ingesting(&store, announced(&format!("t{n}"))))).await;
    assert!(found.iter().all(|one| *one == Ingested::New), "{found:?}");
    let taken = take(&store, LEASE, 1_000).await.transactions;
    assert_eq!(taken.len(), 100);
    store.queries.check().await.expect("the only connection is free while they are worked on");
    let told = taken.iter().rev().map(|one| concluded(one, TransactionVerdict::Processed));
    let stood = store.transactions.conclude(told.collect()).await.expect("it concludes");
    assert_eq!(stood, [true; 100]);
    assert_eq!(store.transactions.backlog().await.expect("it counts").due, 0);
}

pub async fn a_queue_out_of_reach_is_unavailable(database: Arc<Database>) {
    fn assert_unavailable<T: std::fmt::Debug>(found: Result<T, RepositoryError>) {
        assert!(matches!(found, Err(RepositoryError::Unavailable(_))), "{found:?}");
    }
    let reachable = database.store().await;
    ingest(&reachable, announced("t")).await;
    let taken = take_one(&reachable, LEASE).await;
    let store = database.unreachable_store();
    let queue = &store.transactions;
    assert_unavailable(queue.ingest(announced("t")).await);
    assert_unavailable(queue.take_due(LEASE, 1).await);
    assert_unavailable(queue.conclude(vec![concluded(&taken, dead())]).await);
    assert_unavailable(queue.revive(&key("t")).await);
    assert_unavailable(queue.find(&key("t")).await);
    assert_unavailable(queue.dead(&account(), 1).await);
    assert_unavailable(queue.conflict(&key("t")).await);
    assert_unavailable(queue.backlog().await);
    store.schema.close();
}

pub async fn a_broken_transaction_is_named_by_its_column(database: Arc<Database>) {
    let store = database.store().await;
    let long = format!("source_account = '{}'", "x".repeat(256));
    for (column, broken) in [
        ("source_account", long.as_str()),
        ("destination_account", "destination_account = ''"),
        ("amount_minor", "amount_minor = 0"),
        ("currency", "currency = 'ZZZ'"),
        ("state", "state = 'lost'"),
        ("due_at", "due_at = NULL"),
        ("processed_at", "state = 'processed'"),
        ("attempts", "attempts = -1"),
    ] {
        ingest(&store, announced("t")).await;
        database.execute_unchecked(&format!("UPDATE transactions SET {broken}"));
        let found = store.transactions.find(&key("t")).await;
        let Err(RepositoryError::Inconsistent { place, .. }) = found else {
            panic!("{column}: {found:?}")
        };
        assert_eq!(place, format!("transactions.{column} of transaction t"));
        database.execute("DELETE FROM transactions").expect("it runs");
    }
}

pub async fn the_schema_refuses_what_no_rule_allows(database: Arc<Database>) {
    let store = database.store().await;
    ingest(&store, announced("t")).await;
    for broken in [
        "transaction_id = ''",
        "source_account = ''",
        "destination_account = ''",
        "amount_minor = 0",
        "currency = 'inr'",
        "state = 'lost'",
        "fence = -1",
        "attempts = -1",
        "due_at = NULL",
        "processed_at = created_at",
        "state = 'processed', fence = 1, due_at = NULL",
        "state = 'running'",
        "state = 'dead', fence = 1, due_at = NULL",
    ] {
        let refused = database.execute(&format!("UPDATE transactions SET {broken}"));
        assert!(refused.is_err(), "{broken}");
    }
    assert_eq!(take_one(&store, LEASE).await.contents, contents("1500"));
}
