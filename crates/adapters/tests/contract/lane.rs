//! What holds of writes that share a transaction: each stands and falls alone.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sql_types::BigInt;
use diesel::{Connection, QueryableByName, RunQueryDsl};
use payonce_adapters::{LaneOptions, StoreOptions};
use payonce_domain::idempotency::{Fingerprint, KeySpace, RecordId, SettledAnswer};
use payonce_domain::ports::{OpenPayment, Opened, Owned, RepositoryError, Settle, Settled};
use payonce_testing::TestDatabase;
use tokio::time::timeout;

use crate::fixtures::{answer, open, open_for, record, settle};
use crate::harness::{Call, Database, OPTIONS, Store, keep, race};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Opens, whatever comes of it.
fn trying(store: &Store, call: OpenPayment) -> Call<Result<Opened, RepositoryError>> {
    let payments = Arc::clone(&store.payments);
    Box::pin(async move { payments.open(Arc::new(call)).await })
}

/// Settles, whatever comes of it.
fn ending(store: &Store, owned: &Owned) -> Call<Result<Settled, RepositoryError>> {
    let (payments, call) = (Arc::clone(&store.payments), settle(owned, "{}"));
    Box::pin(async move { payments.settle(Box::new(call)).await })
}

/// Opens a payment for each of `k0`, `k1`, …, all at once.
async fn own_at_once(store: &Store, count: usize) -> Vec<Owned> {
    let opened = race((0..count).map(|n| store.opening(open(&format!("k{n}"))))).await;
    let owned = opened.into_iter().map(|one| match one {
        Opened::Owned(owned) => *owned,
        other => panic!("not owned: {other:?}"),
    });
    owned.collect()
}

pub async fn of_payments_opened_at_once_one_that_cannot_be_stored_fails_alone(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let first = store.own(open("first")).await;
    let twin = OpenPayment { candidate: first.payment.id, ..open("twin") };
    let calls = (0..60).map(|n| open(&format!("k{n}"))).chain([twin]);
    let opened = race(calls.map(|call| trying(&store, call))).await;
    let (bad, good) = opened.split_last().expect("there are 61");
    assert!(good.iter().all(|one| matches!(one, Ok(Opened::Owned(_)))), "{good:?}");
    assert!(matches!(bad, Err(RepositoryError::Inconsistent { .. })), "{bad:?}");
    assert_eq!(store.all_payments().await.len(), 61);
    assert_eq!(store.keys.find(&record("twin")).await.expect("it finds"), None);
}

pub async fn of_payments_settled_at_once_one_that_cannot_be_stored_fails_alone(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let owned = own_at_once(&store, 60).await;
    // A payment that has ended under a record that is not settled.
    database
        .execute(
            "INSERT INTO payment_outcomes (account_id, payment_id, status, failure_code,
                 completed_at, created_at, fence, step, at, actor, kind)
             SELECT account_id, id, 'FAILED', 'gateway_error', created_at, created_at, 1, 1, created_at, 'request',
                 'failed'
             FROM payments WHERE key = 'k0'",
        )
        .expect("it runs");
    let settled = race(owned.iter().map(|one| ending(&store, one))).await;
    let (bad, good) = settled.split_first().expect("there are 60");
    assert!(matches!(bad, Err(RepositoryError::Inconsistent { .. })), "{bad:?}");
    for one in good {
        let Ok(Settled::Stored(stored)) = one else { panic!("{one:?}") };
        assert_eq!(stored.answer, answer("{}"));
    }
}

pub async fn many_connections_open_settle_and_replay_each_key_as_one_does(database: Arc<Database>) {
    let lane = LaneOptions { connections: 3, batch: 7, queue: 4096 };
    let store = database.store_with(StoreOptions { lane, ..OPTIONS }).await;
    let owned = own_at_once(&store, 90).await;
    let settled = race(owned.iter().map(|one| store.settling(settle(one, "{}")))).await;
    assert!(settled.iter().all(|one| matches!(one, Settled::Stored(_))), "{settled:?}");
    let again = (0..180).map(|n| store.opening(open(&format!("k{}", n % 90))));
    for (place, replayed) in race(again).await.into_iter().enumerate() {
        let Opened::Replay(replayed) = replayed else { panic!("{replayed:?}") };
        assert_eq!(replayed.request_id, owned[place % 90].request_id, "each key has its own");
    }
    assert_eq!(store.all_payments().await.len(), 90);
}

pub async fn repeats_and_new_keys_that_come_together_each_get_what_is_theirs(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let owned = own_at_once(&store, 30).await;
    race(owned.iter().map(|one| store.settling(settle(one, "{}")))).await;
    for round in 0..3 {
        let repeats = (0..30).map(|n| open(&format!("k{n}")));
        let fresh = (0..30).map(|n| open(&format!("round-{round}-{n}")));
        let mixed = repeats.zip(fresh).flat_map(|(repeat, fresh)| [repeat, fresh]);
        let opened = race(mixed.map(|call| store.opening(call))).await;
        for (place, pair) in opened.chunks(2).enumerate() {
            let [Opened::Replay(replayed), Opened::Owned(new)] = pair else { panic!("{pair:?}") };
            assert_eq!(replayed.request_id, owned[place].request_id);
            assert_eq!(new.payment.record.key.as_str(), format!("round-{round}-{place}"));
        }
    }
    assert_eq!(store.all_payments().await.len(), 30 + 3 * 30);
}

pub async fn looks_that_come_together_each_find_what_is_theirs(database: Arc<Database>) {
    let store = database.store().await;
    let of_another = |id: RecordId| RecordId { account: "another".parse().expect("valid"), ..id };
    let of_an_order = |id: RecordId| RecordId { space: KeySpace::Order, ..id };
    let names: Vec<_> = (0..20).map(|n| record(&format!("k{n}"))).collect();
    let others = names.iter().cloned().map(of_another);
    let orders = names.iter().cloned().map(of_an_order);
    let known: Vec<_> = names.iter().cloned().chain(others).chain(orders).collect();
    let opens = known.iter().map(|id| OpenPayment { record: id.clone(), ..open("k") });
    let mut stored = Vec::new();
    for opened in race(opens.map(|call| store.opening(call))).await {
        let Opened::Owned(owned) = opened else { panic!("{opened:?}") };
        stored.push((owned.payment.record.clone(), owned.request_id.clone()));
        store.settle(settle(&owned, &owned.payment.id.to_string())).await;
    }
    let fingerprint = open("k").request.fingerprint().clone();
    let another = open_for("k", "7").request.fingerprint().clone();

    // One account's, in one statement with a key twice, and all together.
    for wanted in [[&names[..], &names[..1]].concat(), known.clone()] {
        let found = race(wanted.iter().map(|id| looking(&store, id, &fingerprint))).await;
        for (id, found) in wanted.iter().zip(found) {
            let found = found.expect("it is stored");
            let again = OpenPayment { record: id.clone(), ..open("k") };
            let Opened::Replay(opened) = store.open(again).await else { panic!("{id:?}") };
            assert_eq!(opened.answer, found.answer);
            assert_eq!(opened.expires_at, found.expires_at);
            let (_, request_id) = stored.iter().find(|(one, _)| one == id).expect("it is stored");
            assert_eq!(found.request_id, *request_id);
        }
    }

    let unknown = (0..5).map(|n| record(&format!("unknown-{n}")));
    let unknown: Vec<_> = unknown.map(|id| looking(&store, &id, &fingerprint)).collect();
    let mismatched = names[..5].iter().map(|id| looking(&store, id, &another));
    let found = race(unknown.into_iter().chain(mismatched)).await;
    assert!(found.iter().all(Option::is_none), "{found:?}");
}

/// Looks for a stored answer.
fn looking(store: &Store, id: &RecordId, fingerprint: &Fingerprint) -> Call<Option<SettledAnswer>> {
    let (payments, id, fingerprint) =
        (Arc::clone(&store.payments), id.clone(), fingerprint.clone());
    Box::pin(async move { payments.replay(&id, &fingerprint).await.expect("it looks") })
}

pub async fn what_is_not_settled_or_has_expired_is_found_by_no_look(database: Arc<Database>) {
    let store = database.store().await;
    let [running, queued, expired] = ["running", "queued", "expired"].map(open);
    store.own(running).await;
    store.open(OpenPayment { queued: true, ..queued }).await;
    let owned = store.own(expired).await;
    store.settle(Settle { retention: Duration::ZERO, ..settle(&owned, "gone") }).await;
    let fingerprint = open("k").request.fingerprint().clone();
    for name in ["running", "queued", "expired"] {
        assert_eq!(looking(&store, &record(name), &fingerprint).await, None, "{name}");
    }
}

/// On a single connection, where all kinds share batches.
pub async fn writes_that_fail_take_no_answer_from_whoever_looks(database: Arc<Database>) {
    let lane = LaneOptions { connections: 1, batch: 64, queue: 4096 };
    let store = database.store_with(StoreOptions { lane, ..OPTIONS }).await;
    let owned = own_at_once(&store, 20).await;
    race(owned.iter().map(|one| store.settling(settle(one, "{}")))).await;
    let fingerprint = open("k").request.fingerprint().clone();
    for round in 0..5 {
        let twin = |place: usize| OpenPayment {
            candidate: owned[place].payment.id,
            ..open(&format!("twin-{round}-{place}"))
        };
        type Both = (Option<SettledAnswer>, Result<Opened, RepositoryError>);
        let both = (0..20).map(|place| -> Call<Both> {
            let look = looking(&store, &record(&format!("k{place}")), &fingerprint);
            let fails = trying(&store, twin(place));
            Box::pin(async move { tokio::join!(look, fails) })
        });
        for (found, failed) in race(both).await {
            assert!(found.is_some(), "it is stored");
            assert!(matches!(failed, Err(RepositoryError::Inconsistent { .. })), "{failed:?}");
        }
    }
}

/// SQLite leaves them to opening.
pub async fn repeats_are_expected_behind_one_until_new_keys_come(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    store.settle(settle(&owned, "paid")).await;
    let is_postgres = database.is_postgres();
    let fingerprint = open("k").request.fingerprint().clone();
    for _ in 0..2 {
        assert!(!store.payments.expects_repeats());
        assert!(matches!(store.open(open("k")).await, Opened::Replay(_)));
        assert_eq!(store.payments.expects_repeats(), is_postgres);
        assert!(looking(&store, &record("k"), &fingerprint).await.is_some());
        assert_eq!(store.payments.expects_repeats(), is_postgres);
        assert_eq!(looking(&store, &record("new"), &fingerprint).await, None);
    }
    assert!(!store.payments.expects_repeats());
}

/// SQLite has no locks on rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_somebody_holds_holds_up_no_other_on_postgres() {
    keep(TestDatabase::postgres, |database| async move {
        /// In the midst of the others, so that it comes into a batch with them.
        const HELD: usize = 15;
        let store = database.store().await;
        let owned = own_at_once(&store, 30).await;
        let mut somebody = PgConnection::establish(database.url()).expect("the server is there");
        let hold = "BEGIN; SELECT 1 FROM idempotency_records WHERE key = 'k15' FOR UPDATE";
        somebody.batch_execute(hold).expect("nobody else holds it");
        let mut calls: Vec<_> = owned.iter().map(|one| tokio::spawn(ending(&store, one))).collect();
        let waits = calls.remove(HELD);
        for other in calls {
            let other = other.await.expect("it runs");
            assert!(matches!(other, Ok(Settled::Stored(_))), "{other:?}");
        }
        assert!(!waits.is_finished(), "somebody holds it");
        let shared = "SELECT count(DISTINCT xmin::text) AS count FROM idempotency_records \
             WHERE state = 'settled'";
        let shared = diesel::sql_query(shared).get_result::<Count>(&mut somebody);
        let transactions = shared.expect("it counts").count;
        assert!(transactions < 10, "{transactions} transactions settled 29 of them");
        drop(somebody);
        // It was let go in time, or the wait for it was given up: it can be settled either way.
        let _ = timeout(Duration::from_secs(30), waits).await.expect("it ends");
        assert!(matches!(ending(&store, &owned[HELD]).await, Ok(Settled::Stored(_))));
    })
    .await;
}
