//! Bringing the schema forward and back.

use std::sync::Arc;

use payonce_domain::payment::PaymentStatus;
use payonce_domain::ports::{
    HandOver, HandOverTo, OpaqueStored, Opened, PaymentFilter, Renewed, RepositoryError, Settled,
    TakeDue,
};

use crate::fixtures::{DAY, account, failing, hand_over, open, settle};
use crate::harness::{Call, Database, OPTIONS, Store, race};
use crate::opaque;

pub async fn a_store_is_ready_only_while_its_schema_is_the_newest(database: Arc<Database>) {
    let store = database.empty_store(OPTIONS);
    assert_not_ready(&store).await;
    store.schema.migrate_up().await.expect("it migrates");
    store.queries.check().await.expect("it is ready");
    store.schema.migrate_down().await.expect("it reverts").expect("one is applied");
    assert_not_ready(&store).await;
    store.schema.migrate_up().await.expect("it migrates");
    store.queries.check().await.expect("it is ready again");
}

pub async fn migrating_up_again_changes_nothing(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let before = store.snapshot(&owned.payment).await;
    let applied = store.schema.applied().await.expect("it lists");
    assert!(!applied.is_empty() && applied.iter().all(|(_, is_applied)| *is_applied));
    assert!(applied.is_sorted(), "{applied:?}");
    for _ in 0..2 {
        let run = store.schema.migrate_up().await.expect("it migrates");
        assert_eq!(run, Vec::<String>::new());
    }
    assert_eq!(store.schema.applied().await.expect("it lists"), applied);
    assert_eq!(store.snapshot(&owned.payment).await, before);
}

pub async fn up_down_and_up_again_leave_a_store_that_works(database: Arc<Database>) {
    let store = database.empty_store(OPTIONS);
    let first = store.schema.migrate_up().await.expect("it migrates");
    assert_works(&store).await;
    for newest in first.iter().rev() {
        let reverted = store.schema.migrate_down().await.expect("it reverts");
        assert_eq!(reverted.as_ref(), Some(newest));
    }
    assert_eq!(store.schema.migrate_down().await.expect("nothing is left"), None);
    let applied = store.schema.applied().await.expect("it lists");
    assert_eq!(applied.len(), first.len());
    assert!(applied.iter().all(|(_, is_applied)| !is_applied), "{applied:?}");

    assert_eq!(store.schema.migrate_up().await.expect("it migrates"), first);
    assert_eq!(store.all_payments().await, []);
    assert_works(&store).await;
}

/// Going back loses what the older schema cannot say, and nothing that a payment is.
pub async fn payments_outlive_a_schema_that_knows_nothing_of_open_keys(database: Arc<Database>) {
    let store = database.store().await;
    let opaque = store.opaque.store(opaque::call("opaque", "data")).await.expect("it stores");
    assert!(matches!(opaque, OpaqueStored::First(_)), "{opaque:?}");
    let paid = store.own(open("paid")).await;
    let Settled::Stored(answer) = store.settle(settle(&paid, "paid")).await else {
        panic!("it is the owner's")
    };
    let running = store.own(open("running")).await;
    let left_open = store.own(open("open")).await;
    let to = HandOverTo::Client { due_in: DAY, open_for: DAY };
    let left = HandOver { to, ..hand_over(&left_open) };
    assert_eq!(store.payments.hand_over(left).await.expect("it does"), Renewed::Granted);

    loop {
        let reverted = store.schema.migrate_down().await.expect("it reverts");
        if reverted.expect("one is applied").contains("000400") {
            break;
        }
    }
    store.schema.migrate_up().await.expect("what went down comes up again");

    assert_eq!(store.open(open("paid")).await, Opened::Replay(answer));
    let opaque = store.opaque.store(opaque::call("opaque", "other")).await.expect("it stores");
    assert!(matches!(opaque, OpaqueStored::First(_)), "its key is free: {opaque:?}");
    let found = store.open(open("running")).await;
    assert!(matches!(found, Opened::InUse { payment, .. } if payment == running.payment.id));
    // The older schema leaves it to recovery, which goes on with it.
    let found = store.open(open("open")).await;
    assert_eq!(found, Opened::Pending(Box::new(left_open.payment.clone())));
    let take = TakeDue {
        gateway: Some(left_open.payment.gateway.clone()),
        review_after: DAY,
        lease: DAY,
        limit: 10,
    };
    let due = "UPDATE idempotency_records SET due_at = first_seen_at WHERE key = 'open'";
    database.execute(due).expect("it runs");
    let taken = store.payments.take_due(take).await.expect("it takes");
    assert_eq!(taken.len(), 1);
    assert_eq!((&taken[0].payment, taken[0].open_until), (&left_open.payment, None));
}

pub async fn outcomes_of_their_first_form_take_on_the_present_one(database: Arc<Database>) {
    let store = database.store().await;
    let paid = store.own(open("paid")).await;
    store.settle(settle(&paid, "paid")).await;
    let failed = store.own(open("failed")).await;
    store.settle(failing(&failed)).await;
    let of_nothing = store.own(open("of-nothing")).await;
    store.settle(failing(&of_nothing)).await;
    let row = "DELETE FROM payments WHERE key = 'of-nothing'";
    database.execute(row).expect("it runs");
    let running = store.own(open("running")).await;
    let mut before = Vec::new();
    for payment in [&paid, &failed].map(|owned| owned.payment.id) {
        before.push((store.payment(payment).await, store.events(payment).await));
    }

    let reverted = store.schema.migrate_down().await.expect("it reverts");
    assert!(reverted.expect("one is applied").contains("001800"));
    database.execute(first_form_of_outcomes(&database)).expect("it runs");
    let settled = store.payments.settle(Box::new(failing(&running))).await;
    assert!(settled.is_err(), "nothing is settled under it: {settled:?}");
    store.schema.migrate_up().await.expect("it migrates");

    store.settle(failing(&running)).await;
    let filter = PaymentFilter { status: Some(PaymentStatus::Failed), ..PaymentFilter::default() };
    let listed = store.queries.list(&account(), &filter, None, 9).await.expect("it lists");
    let listed: Vec<_> = listed.payments.iter().map(|payment| payment.id).collect();
    assert_eq!(listed, [running.payment.id, failed.payment.id]);
    for (payment, before) in [paid.payment.id, failed.payment.id].into_iter().zip(before) {
        assert_eq!((store.payment(payment).await, store.events(payment).await), before);
    }
    let without_time = "UPDATE payment_outcomes SET created_at = NULL WHERE status = 'FAILED'";
    assert!(database.execute(without_time).is_err());
    // Without the attribute of its type a batch fails, and each of its calls is settled alone.
    let parts = if database.is_postgres() {
        "SELECT count(*) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
             WHERE relnamespace = current_schema()::regnamespace AND attname = 'created_at'
                 AND relname IN ('payment_outcomes_failed', 'payments_apart', 'payment_settlement')"
    } else {
        "SELECT count(*) AS n FROM sqlite_master
             WHERE name IN ('payment_outcomes_failed', 'payments_apart')"
    };
    assert_eq!(database.number(parts), if database.is_postgres() { 3 } else { 2 });
}

/// SQL for what 001700 made at first, as far as 001800 looks at it.
fn first_form_of_outcomes(database: &Database) -> &'static str {
    if database.is_postgres() {
        "ALTER TABLE payment_outcomes DROP COLUMN created_at;
         ALTER TABLE payment_outcomes ADD CONSTRAINT what_failed_says_why
             CHECK ((status = 'FAILED') = (failure_code IS NOT NULL));
         DROP INDEX payments_apart;
         ALTER TYPE payment_settlement DROP ATTRIBUTE created_at"
    } else {
        "DROP VIEW payment_states;
         DROP VIEW payment_timeline;
         CREATE TABLE first_form AS SELECT account_id, payment_id, status, gateway_reference,
             failure_code, decline_code, completed_at, fence, step, at, actor, kind, attempt,
             detail, followed_by FROM payment_outcomes;
         DROP TABLE payment_outcomes;
         ALTER TABLE first_form RENAME TO payment_outcomes;
         DROP INDEX payments_apart;
         CREATE VIEW payment_states AS SELECT 1;
         CREATE VIEW payment_timeline AS SELECT 1"
    }
}

pub async fn eight_instances_may_migrate_an_empty_database_at_once(database: Arc<Database>) {
    let stores: Vec<_> = (0..8).map(|_| database.empty_store(OPTIONS)).collect();
    let calls = stores.iter().map(|store| {
        let schema = Arc::clone(&store.schema);
        let call: Call<_> = Box::pin(async move { schema.migrate_up().await });
        call
    });
    let runs = race(calls).await;
    let mut run: Vec<String> = Vec::new();
    for one in runs {
        run.extend(one.expect("each succeeds"));
    }
    let known = stores[0].schema.applied().await.expect("it lists");
    assert!(known.iter().all(|(_, is_applied)| *is_applied), "{known:?}");
    assert_eq!(run.len(), known.len(), "each was run once: {run:?}");
    for store in &stores {
        store.queries.check().await.expect("each is ready");
    }
    assert_works(&stores[0]).await;
}

async fn assert_not_ready(store: &Store) {
    let found = store.queries.check().await;
    assert!(matches!(found, Err(RepositoryError::Inconsistent { .. })), "{found:?}");
}

async fn assert_works(store: &Store) {
    let owned = store.own(open("k")).await;
    let settled = store.settle(settle(&owned, "paid")).await;
    let Settled::Stored(stored) = settled else { panic!("{settled:?}") };
    assert_eq!(store.open(open("k")).await, Opened::Replay(stored));
}
