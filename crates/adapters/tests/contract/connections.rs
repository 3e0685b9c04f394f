//! What holds of a store's connections: none is kept, lost ones are told of, callers may leave.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use payonce_adapters::StoreOptions;
use payonce_domain::idempotency::{Fence, RecordState};
use payonce_domain::payment::PaymentStatus;
use payonce_domain::ports::{Opened, PaymentFilter, RepositoryError, Settled};
use tokio::time::timeout;

use crate::fixtures::{account, answer, hand_over, open, record, renewal, settle};
use crate::harness::{Database, OPTIONS, race};

pub async fn no_connection_is_held_beyond_a_call(database: Arc<Database>) {
    let store = database.store_with(StoreOptions { pool_size: 1, ..OPTIONS }).await;
    let found = race((0..100).map(|n| store.opening(open(&format!("k{n}"))))).await;
    assert!(found.iter().all(|one| matches!(one, Opened::Owned(_))), "{found:?}");
    store.queries.check().await.expect("the only connection is free again");
    assert_eq!(store.all_payments().await.len(), 100);
}

pub async fn a_store_out_of_reach_is_unavailable(database: Arc<Database>) {
    fn assert_unavailable<T: std::fmt::Debug>(found: Result<T, RepositoryError>) {
        assert!(matches!(found, Err(RepositoryError::Unavailable(_))), "{found:?}");
    }
    let owned = database.store().await.own(open("k")).await;
    let store = database.unreachable_store();
    assert_unavailable(store.payments.open(Arc::new(open("k"))).await);
    assert_unavailable(store.payments.renew(renewal(&owned)).await);
    assert_unavailable(store.payments.hand_over(hand_over(&owned)).await);
    assert_unavailable(store.payments.settle(Box::new(settle(&owned, "paid"))).await);
    assert_unavailable(store.keys.find(&record("k")).await);
    assert_unavailable(store.queries.find(&account(), owned.payment.id).await);
    assert_unavailable(store.queries.events(&account(), owned.payment.id).await);
    let everything = PaymentFilter::default();
    assert_unavailable(store.queries.list(&account(), &everything, None, 1).await);
    assert_unavailable(store.queries.check().await);
    store.schema.close();
}

pub async fn a_closed_store_is_unavailable(database: Arc<Database>) {
    let store = database.store().await;
    store.own(open("k")).await;
    store.schema.close();
    let closed = store.payments.open(Arc::new(open("k"))).await;
    assert!(matches!(closed, Err(RepositoryError::Unavailable(_))), "{closed:?}");
    let closed = store.keys.find(&record("k")).await;
    assert!(matches!(closed, Err(RepositoryError::Unavailable(_))), "{closed:?}");
}

/// The same call again owns the payment, whether or not the first one had happened.
pub async fn an_opening_whose_caller_leaves_happens_wholly_or_not_at_all(database: Arc<Database>) {
    let store = database.store_with(StoreOptions { pool_size: 2, ..OPTIONS }).await;
    for round in 0..40 {
        let call = open(&format!("k{round}"));
        let opening = store.payments.open(Arc::new(call.clone()));
        match round % 4 {
            0 => drop(timeout(Duration::ZERO, opening).await),
            1 => {
                let task = tokio::spawn(store.opening(call.clone()));
                task.abort();
                drop(task.await);
            }
            polls => drop(leave_after(opening, polls - 1).await),
        }
        if let Some(known) = store.keys.find(&call.record).await.expect("it finds") {
            assert_eq!(known.record.payment_id, call.candidate);
            assert_eq!(store.payment(call.candidate).await.record, call.record);
            assert_eq!(store.kinds(call.candidate).await, ["created"]);
        }
        let owned = store.own(call.clone()).await;
        assert_eq!((owned.payment.id, owned.fence), (call.candidate, Fence::FIRST));
        assert_eq!(store.kinds(call.candidate).await, ["created"]);
    }
    assert_eq!(store.all_payments().await.len(), 40);
}

pub async fn a_settle_whose_caller_leaves_happens_wholly_or_not_at_all(database: Arc<Database>) {
    let store = database.store_with(StoreOptions { pool_size: 2, ..OPTIONS }).await;
    for round in 0..40 {
        let name = format!("k{round}");
        let owned = store.own(open(&name)).await;
        let settling = store.payments.settle(Box::new(settle(&owned, "first")));
        match round % 3 {
            0 => drop(timeout(Duration::ZERO, settling).await),
            polls => drop(leave_after(settling, polls).await),
        }
        let state = store.known(&owned.payment.record).await.record.state;
        if let RecordState::Settled(settlement) = state {
            assert_eq!(settlement.answer, answer("first"));
            let status = store.payment(owned.payment.id).await.status();
            assert_eq!(status, PaymentStatus::Completed);
        }
        let Settled::Stored(stored) = store.settle(settle(&owned, "first")).await else {
            panic!("the fence was lost")
        };
        assert_eq!(store.payment(owned.payment.id).await.status(), PaymentStatus::Completed);
        assert_eq!(store.kinds(owned.payment.id).await, ["created", "completed"]);
        assert_eq!(store.open(open(&name)).await, Opened::Replay(stored));
    }
}

/// Polls a future that often and then drops it, as a caller does who goes away meanwhile.
async fn leave_after<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        left = left.saturating_sub(1);
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
