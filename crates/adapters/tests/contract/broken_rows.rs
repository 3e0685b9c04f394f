//! Stored rows that break a rule of the domain are named, never repaired.

use std::fmt::Debug;
use std::sync::Arc;

use payonce_domain::ports::{PaymentFilter, RepositoryError};

use crate::fixtures::{account, hand_over, open, record, settle};
use crate::harness::Database;

pub async fn a_broken_payment_is_named_by_its_column(database: Arc<Database>) {
    let store = database.store().await;
    let long = format!("description = '{}'", "x".repeat(1_001));
    let long_key = format!("key = '{}'", "x".repeat(256));
    for (column, broken) in [
        ("operation", "operation = 'refund'"),
        ("currency", "currency = 'ZZZ'"),
        ("amount_minor", "amount_minor = 0"),
        ("payment_method", "payment_method = ''"),
        ("reference", "reference = 'a\tb'"),
        ("description", &long),
        ("metadata", "metadata = '[1]'"),
        ("metadata", "metadata = '{\"a\": 1}'"),
        ("metadata", "metadata = '{\"\": \"\"}'"),
        ("attempts", "attempts = -1"),
        ("status", "status = 'PAID'"),
        ("gateway_reference", "status = 'COMPLETED', completed_at = created_at"),
        ("completed_at", "status = 'COMPLETED', gateway_reference = 'ch_1'"),
        ("failure_code", "status = 'FAILED', completed_at = created_at"),
        ("completed_at", "status = 'FAILED', failure_code = 'gateway_error'"),
        ("key_space", "key_space = 'other'"),
        ("key", &long_key),
    ] {
        let owned = store.own(open("k")).await;
        database.execute_unchecked(&format!("UPDATE payments SET {broken}"));
        let id = owned.payment.id;
        let place = format!("payment_states.{column} of payment {id}");
        assert_inconsistent(store.queries.find(&account(), id).await, &place);
        let everything = PaymentFilter::default();
        assert_inconsistent(store.queries.list(&account(), &everything, None, 9).await, &place);
        assert_inconsistent(store.payments.open(Arc::new(open("k"))).await, &place);
        database.execute("DELETE FROM payments; DELETE FROM idempotency_records").expect("it runs");
    }
}

pub async fn a_broken_record_is_named_by_its_column(database: Arc<Database>) {
    let store = database.store().await;
    for (column, broken) in [
        ("request_id", "request_id = ''"),
        ("state", "state = 'lost'"),
        ("due_at", "due_at = NULL"),
        ("answer_status", "state = 'settled'"),
        ("answer_content_type", "state = 'settled', answer_status = 200"),
        ("answer_status", "state = 'settled', answer_status = -1"),
        ("settled_at", "state = 'purged'"),
        ("expires_at", "state = 'purged', settled_at = first_seen_at"),
    ] {
        let owned = store.own(open("k")).await;
        database.execute_unchecked(&format!("UPDATE idempotency_records SET {broken}"));
        let place = format!("idempotency_records.{column} of payment {}", owned.payment.id);
        assert_inconsistent(store.keys.find(&record("k")).await, &place);
        assert_inconsistent(store.payments.open(Arc::new(open("k"))).await, &place);
        assert_inconsistent(store.payments.settle(Box::new(settle(&owned, "paid"))).await, &place);
        assert_eq!(store.payment(owned.payment.id).await, owned.payment);
        database.execute("DELETE FROM payments; DELETE FROM idempotency_records").expect("it runs");
    }
}

pub async fn a_record_without_its_payment_is_named(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    database.execute("DELETE FROM payments").expect("it runs");
    let place = format!("idempotency_records.payment_id {}", owned.payment.id);
    assert_inconsistent(store.payments.open(Arc::new(open("k"))).await, &place);
    // What became of money is kept all the same.
    store.settle(settle(&owned, "paid")).await;
    assert_eq!(database.number("SELECT count(*) AS n FROM payment_outcomes"), 1);
}

pub async fn a_broken_event_is_named_by_its_column(database: Arc<Database>) {
    let store = database.store().await;
    for (n, (column, broken)) in [
        ("actor", "actor = 'nothing'"),
        ("kind", "kind = 'nothing'"),
        ("kind", "followed_by = 'nothing'"),
        ("attempt", "attempt = -1"),
    ]
    .into_iter()
    .enumerate()
    {
        let settled = store.own(open(&format!("settled-{n}"))).await;
        store.settle(settle(&settled, "paid")).await;
        let given_up = store.own(open(&format!("given-up-{n}"))).await;
        store.payments.hand_over(hand_over(&given_up)).await.expect("it does");
        for (table, owned) in [("payment_outcomes", settled), ("payment_events", given_up)] {
            database.execute_unchecked(&format!("UPDATE {table} SET {broken}"));
            let id = owned.payment.id;
            let place = format!("payment_timeline.{column} of payment {id}");
            assert_inconsistent(store.queries.events(&account(), id).await, &place);
            database.execute(&format!("DELETE FROM {table}")).expect("it runs");
        }
    }
}

fn assert_inconsistent<T: Debug>(found: Result<T, RepositoryError>, expected: &str) {
    match found {
        Err(RepositoryError::Inconsistent { place, .. }) => assert_eq!(place, expected),
        other => panic!("{expected}: {other:?}"),
    }
}
