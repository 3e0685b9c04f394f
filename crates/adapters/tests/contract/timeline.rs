//! Timelines are told whole, in few rows.

use std::sync::Arc;

use payonce_domain::payment::{Actor, EventKind, NewEvent, Timeline};
use payonce_domain::ports::{LeaseRenewal, Owned, Settle};

use crate::fixtures::{hand_over, open, renewal, settle, timeline};
use crate::harness::{Database, Store};

const ROWS: &str = "SELECT count(*) AS n FROM payment_events";
const OUTCOMES: &str = "SELECT count(*) AS n FROM payment_outcomes";

/// What an attempt that was approved adds.
fn approved(owned: &Owned) -> Vec<NewEvent> {
    let mut timeline = timeline(owned);
    timeline.add(EventKind::Attempt, Some(1), Some("approved".to_owned()));
    timeline.add(EventKind::Completed, None, None);
    timeline.take()
}

async fn pay(store: &Store, key: &str) -> Owned {
    let owned = store.own(open(key)).await;
    store.settle(Settle { events: approved(&owned), ..settle(&owned, "paid") }).await;
    owned
}

pub async fn a_payment_answered_at_once_has_three_entries_and_no_row_of_their_own(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let owned = pay(&store, "k").await;
    let mut entries = vec![Timeline::opening(owned.fence, Actor::Request, EventKind::Created)];
    entries.extend(approved(&owned));
    assert_eq!(store.timeline(owned.payment.id).await, entries);
    assert_eq!((database.number(OUTCOMES), database.number(ROWS)), (1, 0));

    let stored = store.events(owned.payment.id).await;
    let payment = store.payment(owned.payment.id).await;
    assert_eq!(stored[0].at, payment.created_at);
    assert_eq!(stored[1].at, stored[2].at, "one transaction wrote both");
}

pub async fn what_led_to_the_end_in_several_steps_is_told_step_by_step(database: Arc<Database>) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let mut timeline = timeline(&owned);
    timeline.add(EventKind::LookUp, None, Some("unknown: timeout".to_owned()));
    timeline.add(EventKind::Attempt, Some(1), Some("unknown: timeout".to_owned()));
    timeline.add(EventKind::Attempt, Some(2), Some("approved".to_owned()));
    timeline.add(EventKind::Completed, None, None);
    let events = timeline.take();
    store.settle(Settle { events: events.clone(), ..settle(&owned, "paid") }).await;
    assert_eq!(store.timeline(owned.payment.id).await[1..], events);
    assert_eq!((database.number(OUTCOMES), database.number(ROWS)), (1, 2));
    let stored = store.events(owned.payment.id).await;
    assert!(stored[1..].iter().all(|event| event.at == stored[1].at), "one transaction wrote all");
}

pub async fn an_entry_with_more_to_tell_than_its_kind_has_a_row_of_its_own(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let owned = store.own(open("k")).await;
    let mut timeline = timeline(&owned);
    timeline.add(EventKind::Overridden, None, None);
    timeline.add(EventKind::Attempt, Some(1), None);
    timeline.add(EventKind::LookUp, None, Some("unknown: timeout".to_owned()));
    // One row tells two entries, and no third.
    timeline.add(EventKind::VoidIntended, None, None);
    timeline.add(EventKind::Failed, None, None);
    let events = timeline.take();
    let renewal = LeaseRenewal { events: events.clone(), ..renewal(&owned) };
    store.payments.renew(renewal).await.expect("it renews");
    assert_eq!(store.timeline(owned.payment.id).await[1..], events);
    assert_eq!(database.number(ROWS), 4);
}

pub async fn payments_and_timelines_outlive_the_schema_of_a_row_for_each_entry(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let paid = pay(&store, "paid").await.payment;
    let running = store.own(open("running")).await.payment;
    let handed_over = store.own(open("handed-over")).await;
    store.payments.hand_over(hand_over(&handed_over)).await.expect("it does");
    let payments = [paid, running, handed_over.payment];
    let mut before = Vec::new();
    for payment in &payments {
        before.push((store.payment(payment.id).await, store.events(payment.id).await));
    }

    loop {
        let reverted = store.schema.migrate_down().await.expect("it reverts");
        if reverted.expect("one is applied").contains("001500") {
            break;
        }
    }
    assert_eq!(database.number(ROWS), 3 + 1 + 2);
    store.schema.migrate_up().await.expect("what went down comes up again");

    for (payment, before) in payments.iter().zip(before) {
        assert_eq!((store.payment(payment.id).await, store.events(payment.id).await), before);
    }
}
