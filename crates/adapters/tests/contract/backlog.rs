//! How what is not settled is counted.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::ports::{
    Backlog, HandOver, HandOverTo, OpenPayment, Unsettled, UnsettledState,
};

use crate::fixtures::{DAY, hand_over, open, open_and_die, settle};
use crate::harness::{Database, Store};

async fn backlog(store: &Store) -> Backlog {
    store.backlog.backlog().await.expect("the store counts")
}

fn in_state(backlog: &Backlog, state: UnsettledState) -> Option<&Unsettled> {
    backlog.unsettled.iter().find(|counted| counted.state == state)
}

pub async fn what_is_settled_is_not_counted(database: Arc<Database>) {
    let store = database.store().await;
    assert_eq!(backlog(&store).await, Backlog::default());
    let owned = store.own(open("k")).await;
    store.settle(settle(&owned, "paid")).await;
    assert_eq!(backlog(&store).await, Backlog::default());
}

pub async fn what_is_unsettled_is_counted_by_why_with_the_age_of_the_oldest(
    database: Arc<Database>,
) {
    let store = database.store().await;
    store.own(open("alive")).await;
    for key in ["queued", "queued too"] {
        store.open(OpenPayment { queued: true, ..open(&key.replace(' ', "-")) }).await;
    }
    let later = HandOverTo::Recovery(DAY);
    for (key, to) in [("unknown", later), ("review", HandOverTo::Review)] {
        let owned = store.own(open(key)).await;
        let call = HandOver { to, ..hand_over(&owned) };
        store.payments.hand_over(call).await.expect("it does");
    }
    let earlier = database.hours_before("created_at", 3);
    let older = format!("UPDATE payments SET created_at = {earlier} WHERE key = 'queued-too'");
    database.execute(&older).expect("it does");

    let counted = backlog(&store).await;
    for (state, payments) in [
        (UnsettledState::Running, 1),
        (UnsettledState::Queued, 2),
        (UnsettledState::Unknown, 1),
        (UnsettledState::InReview, 1),
    ] {
        let unsettled = in_state(&counted, state).expect("it is counted");
        assert_eq!(unsettled.payments, payments, "{state:?}");
        let hours = if state == UnsettledState::Queued { 3 } else { 0 };
        assert_eq!(unsettled.oldest.as_secs() / 3_600, hours, "{state:?}");
    }
    assert_eq!(in_state(&counted, UnsettledState::Open), None);
}

pub async fn what_could_be_taken_now_is_due_since_its_time(database: Arc<Database>) {
    let store = database.store().await;
    store.own(open("alive")).await;
    let owned = store.own(open("later")).await;
    let call = HandOver { to: HandOverTo::Recovery(DAY), ..hand_over(&owned) };
    store.payments.hand_over(call).await.expect("it does");
    let none = backlog(&store).await;
    assert_eq!((none.due, none.lag), (0, Duration::ZERO));

    store.own(open_and_die("dead")).await;
    store.open(OpenPayment { queued: true, ..open("queued") }).await;
    let earlier = database.hours_before("due_at", 2);
    let overdue = format!("UPDATE idempotency_records SET due_at = {earlier} WHERE key = 'dead'");
    database.execute(&overdue).expect("it does");
    let counted = backlog(&store).await;
    assert_eq!((counted.due, counted.lag.as_secs() / 3_600), (2, 2));
}
