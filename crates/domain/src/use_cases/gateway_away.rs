//! Tests of what the use cases do while no call gets through to the gateway.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use time::macros::datetime;
use tokio_util::task::TaskTracker;

use super::fixtures::{self, Story};
use super::{
    CreatePayment, CreatePaymentCommand, CreatePaymentError, CreatePaymentOutcome, CreateTerms,
    Paid, RecoverPayments,
};
use crate::gateway::{ChargeOutcome, GatewayKeySecret};
use crate::idempotency::AfterExpiry;
use crate::ports::{Clock, KnownKey, MockIdempotencyRepository, Opened, OwnedBy};

fn away() -> Story {
    Story { is_gateway_away: true, ..Story::new() }
}

fn command(wait: Duration) -> CreatePaymentCommand {
    CreatePaymentCommand {
        record: fixtures::record(),
        request_id: "req-1".parse().expect("valid"),
        request: fixtures::request(),
        wait,
        respond_async: false,
    }
}

fn create(mut story: Story, keys: MockIdempotencyRepository) -> Arc<CreatePayment> {
    story.gateway.expect_charge_request().returning(|_, _| b"charge".to_vec());
    Arc::new(CreatePayment {
        waiters: Arc::clone(&story.waiters),
        pay: Arc::new(story.pay()),
        keys: Arc::new(keys),
        running: Arc::default(),
        tasks: TaskTracker::new(),
        bell: Arc::default(),
        terms: CreateTerms {
            key_secret: GatewayKeySecret::new(b"secret"),
            after_expiry: AfterExpiry::Refuse,
        },
    })
}

#[tokio::test(start_paused = true)]
async fn a_fresh_key_is_refused_and_nothing_is_stored() {
    let mut story = away();
    story.repository.expect_open().never();
    let mut keys = MockIdempotencyRepository::new();
    keys.expect_find().once().return_once(|_| Ok(None));
    let create = create(story, keys);
    let refused = create.execute(command(Duration::ZERO)).await;
    assert!(matches!(refused, Err(CreatePaymentError::GatewayUnavailable)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_known_key_is_still_answered() {
    let mut story = away();
    story
        .repository
        .expect_open()
        .once()
        .return_once(|_| Ok(Opened::Replay(fixtures::settled("paid"))));
    let mut keys = MockIdempotencyRepository::new();
    let now = datetime!(2026-01-01 12:00 UTC);
    let record = fixtures::open().record(now);
    keys.expect_find().once().return_once(move |_| Ok(Some(KnownKey { record, now })));
    let create = create(story, keys);
    let answered = create.execute(command(Duration::ZERO)).await;
    let Ok(CreatePaymentOutcome::Settled { is_replay: true, .. }) = answered else {
        panic!("{answered:?}");
    };
}

#[tokio::test(start_paused = true)]
async fn a_payment_under_way_is_handed_over_and_its_door_is_not_shut() {
    let held_back = ChargeOutcome::Unreachable { reason: "open".to_owned() };
    let story = away().charge(held_back).hand_over();
    let story = story.never_looks_up().never_voids().never_renews().never_settles();
    let (told, leased_at) = (Arc::clone(&story.told), story.clock.elapsed());
    let paid = story.pay().execute(Box::new(fixtures::owned(OwnedBy::Opening)), leased_at).await;
    assert!(matches!(paid, Paid::Unfinished { cause: None, .. }), "{paid:?}");
    assert_eq!(told.lock().expect("whole").kinds(), ["attempt", "handed_over"]);
}

#[tokio::test(start_paused = true)]
async fn recovery_asks_for_no_gateways_payments() {
    for is_away in [true, false] {
        let mut story = Story { is_gateway_away: is_away, ..Story::new() };
        let asked = Arc::new(Mutex::new(None));
        let told = Arc::clone(&asked);
        story.repository.expect_take_due().once().return_once(move |take| {
            *told.lock().expect("whole") = Some(take.gateway);
            Ok(Vec::new())
        });
        let recovery = RecoverPayments {
            pay: Arc::new(story.pay()),
            tasks: TaskTracker::new(),
            batch: 10,
            bell: Arc::default(),
        };
        let recovered = recovery.execute().await.expect("it looks");
        assert_eq!((recovered.taken, recovered.has_more), (0, false));
        let asked = asked.lock().expect("whole").take();
        assert_eq!(asked, Some((!is_away).then(fixtures::identity)));
    }
}
