//! Opening a payment under a key that may be there already.

use std::sync::Arc;
use std::time::Duration;

use payonce_domain::gateway::GatewayIdentity;
use payonce_domain::idempotency::{Fence, Generation, KeySpace, RecordId, RecordState};
use payonce_domain::payment::PaymentRequest;
use payonce_domain::ports::{
    OpenPayment, Opened, OwnedBy, PaymentFilter, PaymentPage, RepositoryError,
};

use crate::fixtures::{
    LEASE, account, metadata, money, open, open_and_die, open_for, record, request, settle, text,
};
use crate::harness::{Database, causes, one_owner, race};

pub async fn a_fresh_key_is_owned_by_one_of_50_racing_callers(database: Arc<Database>) {
    let store = database.store().await;
    let found = race((0..50).map(|_| store.opening(open("k")))).await;
    let (owner, others) = one_owner(found);
    assert_eq!((owner.fence, owner.by), (Fence::FIRST, OwnedBy::Opening));
    for other in others {
        let Opened::InUse { payment, lease_left } = other else { panic!("{other:?}") };
        assert_eq!(payment, owner.payment.id);
        assert!(lease_left > Duration::ZERO && lease_left <= LEASE, "{lease_left:?}");
    }
    assert_eq!(store.all_payments().await, [owner.payment]);
}

pub async fn a_fresh_key_is_owned_by_one_of_50_callers_who_ask_for_different_things(
    database: Arc<Database>,
) {
    let store = database.store().await;
    let calls = (1..=50).map(|amount| store.opening(open_for("k", &amount.to_string())));
    let (owner, others) = one_owner(race(calls).await);
    for other in others {
        assert_eq!(
            other,
            Opened::Mismatch { payment: Some(owner.payment.id), fields: vec!["amount"] }
        );
    }
    assert_eq!(store.all_payments().await, [owner.payment]);
}

pub async fn an_opening_stores_payment_record_and_first_event(database: Arc<Database>) {
    let store = database.store().await;
    let call = open("k");
    let owned = store.own(call.clone()).await;
    assert_eq!(owned.payment, call.payment(Generation::FIRST, owned.now));
    assert_eq!(owned.request_id, call.request_id);

    let stored = store.snapshot(&owned.payment).await;
    assert_eq!(stored.payment, owned.payment);
    assert_eq!(stored.record, call.record(owned.now));
    assert_eq!(store.timeline(owned.payment.id).await, [call.created_event(Fence::FIRST)]);
    assert_eq!(stored.events.first().map(|event| event.at), Some(owned.now));
}

pub async fn another_request_is_a_mismatch_that_names_the_fields(database: Arc<Database>) {
    let store = database.store().await;
    let usual = request();
    let others = [
        (PaymentRequest { money: money("100.01", "USD"), ..request() }, vec!["amount"]),
        (PaymentRequest { money: money("100.00", "EUR"), ..request() }, vec!["currency"]),
        (PaymentRequest { payment_method: None, ..request() }, vec!["payment_method"]),
        (PaymentRequest { reference: text("Invoice 7"), ..request() }, vec!["reference"]),
        (PaymentRequest { description: text(""), ..request() }, vec!["description"]),
        (PaymentRequest { metadata: metadata(&[("cart", "8")]), ..request() }, vec!["metadata"]),
        (
            PaymentRequest { money: money("1", "JPY"), reference: None, ..request() },
            vec!["amount", "currency", "reference"],
        ),
    ];
    let running = store.own(open("running")).await;
    let dead = store.own(open_and_die("dead")).await;
    let settled = store.own(open("settled")).await;
    store.settle(settle(&settled, "paid")).await;

    for (name, owned) in [("running", &running), ("dead", &dead), ("settled", &settled)] {
        for (request, fields) in &others {
            let found =
                store.open(OpenPayment { request: request.clone().into(), ..open(name) }).await;
            let payment = owned.payment.id;
            assert_eq!(
                found,
                Opened::Mismatch { payment: Some(payment), fields: fields.clone() },
                "{name}"
            );
        }
        assert_eq!(store.known(&record(name)).await.record.fence, Fence::FIRST, "{name}");
        assert_eq!(store.payment(owned.payment.id).await.request, usual, "{name}");
    }
    assert_eq!(store.all_payments().await.len(), 3);
}

pub async fn repeating_an_opening_owns_the_same_payment_again(database: Arc<Database>) {
    let store = database.store().await;
    for call in [open("alive"), open_and_die("dead")] {
        let first = store.own(call.clone()).await;
        for _ in 0..3 {
            let again = store.own(call.clone()).await;
            assert_eq!(again.payment, first.payment);
            assert_eq!((again.fence, again.by), (Fence::FIRST, OwnedBy::Opening));
            assert_eq!(again.request_id, call.request_id);
        }
        assert_eq!(store.kinds(first.payment.id).await, ["created"]);
    }
    assert_eq!(store.all_payments().await.len(), 2);
}

pub async fn an_opening_that_was_taken_over_is_not_owned_again(database: Arc<Database>) {
    let store = database.store().await;
    let call = open_and_die("k");
    let first = store.own(call.clone()).await;
    let second = store.own(open("k")).await;
    let again = store.open(call).await;
    assert!(
        matches!(again, Opened::InUse { payment, .. } if payment == first.payment.id),
        "{again:?}"
    );
    assert_eq!(store.known(&record("k")).await.record.fence, second.fence);
}

pub async fn a_queued_opening_is_pending_and_counts_no_send(database: Arc<Database>) {
    let store = database.store().await;
    let call = OpenPayment { queued: true, ..open("k") };
    let opened = store.open(call.clone()).await;
    let Opened::Pending(payment) = &opened else { panic!("{opened:?}") };
    assert_eq!(payment.id, call.candidate);
    assert_eq!((payment.attempts, payment.first_sent_at), (0, None));

    let stored = store.snapshot(payment).await;
    assert_eq!(stored.payment, **payment);
    assert_eq!(stored.record.state, RecordState::Queued { due_at: payment.created_at });
    assert_eq!(store.kinds(payment.id).await, ["created"]);
    // Neither its own repeat nor another request takes what recovery is to pay.
    assert_eq!(store.open(call).await, opened);
    assert_eq!(store.open(open("k")).await, opened);
    assert_eq!(store.known(&record("k")).await.record.fence, Fence::FIRST);
}

pub async fn a_key_of_another_account_or_key_space_is_another_key(database: Arc<Database>) {
    let store = database.store().await;
    let [ours, order] = [KeySpace::Key, KeySpace::Order]
        .map(|space| OpenPayment { record: RecordId { space, ..record("k") }, ..open("k") });
    let stranger = "stranger".parse().expect("valid");
    let theirs = RecordId { account: "stranger".parse().expect("valid"), ..record("k") };
    let theirs = OpenPayment { record: theirs, ..open_for("k", "2") };

    let mut owned = Vec::new();
    for call in [&ours, &order, &theirs] {
        let one = store.own(call.clone()).await;
        assert_eq!((one.payment.id, one.fence), (call.candidate, Fence::FIRST));
        assert_eq!(store.known(&call.record).await.record.payment_id, call.candidate);
        owned.push(one);
    }
    let [ours, order, theirs] = owned.as_slice() else { panic!("three are owned") };
    assert_ne!(ours.payment.gateway_key, theirs.payment.gateway_key);
    assert_ne!(ours.payment.gateway_key, order.payment.gateway_key);

    // A settle reaches none but its own.
    store.settle(settle(theirs, "theirs")).await;
    for one in [ours, order] {
        assert_eq!(store.payment(one.payment.id).await, one.payment);
        let state = store.known(&one.payment.record).await.record.state;
        assert!(matches!(state, RecordState::Running { .. }), "{state:?}");
    }

    for (account, known, unknown) in [
        (account(), vec![&ours.payment, &order.payment], vec![&theirs.payment]),
        (stranger, vec![&theirs.payment], vec![&ours.payment, &order.payment]),
    ] {
        let everything = PaymentFilter::default();
        let page = store.queries.list(&account, &everything, None, 9).await.expect("it lists");
        let mut listed: Vec<_> = page.payments.iter().map(|payment| payment.id).collect();
        listed.sort();
        let mut expected: Vec<_> = known.iter().map(|payment| payment.id).collect();
        expected.sort();
        assert_eq!(listed, expected);
        for payment in known {
            let found = store.queries.find(&account, payment.id).await.expect("it finds");
            assert_eq!(found.map(|found| found.record), Some(payment.record.clone()));
            assert!(store.queries.events(&account, payment.id).await.expect("finds").is_some());
        }
        for payment in unknown {
            assert_eq!(store.queries.find(&account, payment.id).await.expect("it finds"), None);
            assert_eq!(store.queries.events(&account, payment.id).await.expect("finds"), None);
        }
    }
    let nobody = "nobody".parse().expect("valid");
    let page = store.queries.list(&nobody, &PaymentFilter::default(), None, 9).await;
    assert_eq!(page.expect("it lists"), PaymentPage::default());
}

pub async fn a_payment_at_another_gateway_is_pending_and_never_owned(database: Arc<Database>) {
    let store = database.store().await;
    let first = store.own(open_and_die("k")).await;
    let before = store.snapshot(&first.payment).await;
    let ours = &first.payment.gateway;
    let others = [
        GatewayIdentity { kind: "http".into(), ..ours.clone() },
        GatewayIdentity { base_url: "".into(), ..ours.clone() },
        GatewayIdentity { account: "Merchant".into(), ..ours.clone() },
    ];
    for gateway in others {
        let found = store.open(OpenPayment { gateway: gateway.clone(), ..open("k") }).await;
        assert_eq!(found, Opened::Pending(Box::new(first.payment.clone())), "{gateway:?}");
    }
    let after = store.snapshot(&first.payment).await;
    assert_eq!(after.record.fence, before.record.fence);
    assert_eq!(after.record.state, before.record.state);
    assert_eq!((after.payment, after.events), (before.payment, before.events));
    assert_eq!(store.own(open("k")).await.fence, Fence(2), "it is free for its own gateway");
}

pub async fn an_unknown_fingerprint_version_is_never_compared(database: Arc<Database>) {
    let store = database.store().await;
    let dead = store.own(open_and_die("k")).await;
    database.execute("UPDATE idempotency_records SET fingerprint_version = 2").expect("it runs");
    for call in [open("k"), open_for("k", "2")] {
        assert_eq!(store.open(call).await, Opened::UnknownFingerprintVersion);
    }
    assert_eq!(store.known(&record("k")).await.record.fence, Fence::FIRST);
    assert_eq!(store.payment(dead.payment.id).await, dead.payment);
}

pub async fn an_opening_that_is_refused_leaves_nothing_behind(database: Arc<Database>) {
    let store = database.store().await;
    let first = store.own(open("first")).await;
    let twin = OpenPayment { candidate: first.payment.id, ..open("twin") };
    let refused = store.payments.open(Arc::new(twin)).await.expect_err("one id for two payments");
    assert!(!matches!(refused, RepositoryError::Unavailable(_)), "{refused:?}");
    assert!(causes(&refused).contains("payments"), "{}", causes(&refused));

    assert_eq!(store.keys.find(&record("twin")).await.expect("it finds"), None);
    assert_eq!(store.all_payments().await, [first.payment]);
    assert_eq!(store.own(open("twin")).await.fence, Fence::FIRST, "the key is still free");
}

pub async fn a_key_that_is_seen_again_is_remembered_as_seen(database: Arc<Database>) {
    let store = database.store().await;
    store.own(open("k")).await;
    let hour_ago = database.hours_before("last_seen_at", 1);
    database
        .execute(&format!("UPDATE idempotency_records SET last_seen_at = {hour_ago}"))
        .expect("it runs");
    let before = store.known(&record("k")).await;
    store.open(open_for("k", "2")).await;
    let after = store.known(&record("k")).await;
    assert!(after.record.last_seen_at >= before.now, "{after:?}");
    assert_eq!(after.record.first_seen_at, before.record.first_seen_at);
}
