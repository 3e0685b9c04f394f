//! Reading payments and keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use payonce_domain::idempotency::{IdempotencyKey, KeySpace, RecordId};
use payonce_domain::money::{Currency, Money};
use payonce_domain::payment::{Payment, PaymentId, PaymentRequest, PaymentStatus};
use payonce_domain::ports::{
    HandOver, HandOverTo, OpenPayment, Opened, PageCursor, PaymentFilter, TakeReviewed,
};
use time::Duration;
use uuid::Uuid;

use crate::fixtures::{
    HANDED_OVER_FOR, LEASE, account, failing, hand_over, key, metadata, money, open, open_for,
    record, request, settle, text,
};
use crate::harness::{Database, Store};

pub async fn every_field_of_a_request_is_kept(database: Arc<Database>) {
    let store = database.store().await;
    let odd = "🐚 „ü“ '; DROP TABLE payments; -- \"\\u0000\" \\ %_ \u{2028}";
    let many: Vec<_> = (0..49).map(|n| (format!("{n} 'x' \"🐚\""), "🐚".repeat(500))).collect();
    let mut pairs: Vec<_> =
        many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs.push(("empty", ""));
    let requests = [
        PaymentRequest {
            payment_method: None,
            reference: None,
            description: None,
            metadata: metadata(&[]),
            ..request()
        },
        PaymentRequest {
            money: money("92233720368547758.07", "EUR"),
            payment_method: text(odd),
            reference: text(odd),
            description: text(odd),
            metadata: metadata(&[("🐚 „ü“ 'x' \"y\" \\ \\u0000", odd)]),
            ..request()
        },
        PaymentRequest {
            money: money("0.001", "BHD"),
            payment_method: text(&"🐚".repeat(255)),
            reference: text(&"🐚".repeat(255)),
            description: text(&"🐚".repeat(1_000)),
            metadata: metadata(&pairs),
            ..request()
        },
        PaymentRequest { description: text(""), ..request() },
    ];
    for (n, request) in requests.into_iter().enumerate() {
        let name = format!("Schlüssel 🐚 {n} 'x' \"y\"");
        let key = IdempotencyKey::from_body(&name).expect("valid");
        let id = RecordId { key, ..record("k") };
        let gateway_request: Vec<u8> = (0..=255).collect();
        let call =
            OpenPayment { record: id, request: request.into(), gateway_request, ..open("k") };
        let owned = store.own(call.clone()).await;
        let expected = call.payment(owned.payment.generation, owned.now);
        assert_eq!(owned.payment, expected);
        assert_eq!(store.payment(call.candidate).await, expected);
        let filter = PaymentFilter {
            idempotency_key: Some(call.record.key.clone()),
            ..PaymentFilter::default()
        };
        assert_eq!(list(&store, &filter).await, [expected]);
        let known = store.known(&call.record).await.record;
        assert_eq!(known, call.record(owned.now));
        // What was read back is recognised as the same request.
        assert_eq!(store.own(call).await.payment, owned.payment);
    }
}

pub async fn every_currency_keeps_its_minor_units(database: Arc<Database>) {
    let store = database.store().await;
    let letters = 'A'..='Z';
    let codes = letters.clone().flat_map(|a| {
        letters.clone().flat_map(move |b| ('A'..='Z').map(move |c| format!("{a}{b}{c}")))
    });
    let currencies: Vec<Currency> = codes.filter_map(|code| code.parse().ok()).collect();
    assert!(currencies.len() > 150, "{}", currencies.len());
    for (n, currency) in (0..).zip(&currencies) {
        let minor = if n % 2 == 0 { i64::MAX - n } else { n };
        let money = Money::from_minor(minor, *currency).expect("positive");
        let request = PaymentRequest { money, ..request() };
        let owned =
            store.own(OpenPayment { request: request.into(), ..open(currency.code()) }).await;
        let found = store.payment(owned.payment.id).await.request.money;
        assert_eq!((found.minor(), found.currency()), (minor, *currency));
        assert_eq!(found.to_string(), money.to_string());
    }
    assert_eq!(store.all_payments().await.len(), currencies.len());
}

pub async fn lists_run_newest_first_through_pages_without_gap_or_repeat(database: Arc<Database>) {
    let store = database.store().await;
    for n in 0..12 {
        store.own(open(&format!("k{n}"))).await;
    }
    // Three moments of four payments each.
    let hours = |count| database.hours_before("(SELECT max(created_at) FROM payments)", count);
    let names =
        |from: i32| (from..from + 4).map(|n| format!("'k{n}'")).collect::<Vec<_>>().join(",");
    let statements = format!(
        "UPDATE payments SET created_at = {} WHERE key IN ({});
         UPDATE payments SET created_at = {} WHERE key IN ({});
         UPDATE payments SET created_at = (SELECT max(created_at) FROM payments)
             WHERE key IN ({})",
        hours(2),
        names(0),
        hours(1),
        names(4),
        names(8),
    );
    database.execute(&statements).expect("it runs");
    let all = store.all_payments().await;
    assert_eq!(all.len(), 12);
    let order = |payment: &Payment| (payment.created_at, payment.id);
    assert!(all.is_sorted_by(|one, next| order(one) > order(next)), "{all:?}");
    let moments: BTreeSet<_> = all.iter().map(|one| one.created_at).collect();
    assert_eq!(moments.len(), 3);

    for limit in [1, 2, 3, 4, 5, 11, 12, 13] {
        let pages = pages(&store, &PaymentFilter::default(), limit).await;
        assert_eq!(pages, all, "by {limit}");
    }
}

pub async fn a_newer_payment_does_not_move_the_next_page(database: Arc<Database>) {
    let store = database.store().await;
    for n in 0..4 {
        store.own(open(&format!("k{n}"))).await;
    }
    let all = store.all_payments().await;
    let everything = PaymentFilter::default();
    let first = store.queries.list(&account(), &everything, None, 2).await.expect("it lists");
    store.own(open("newer")).await;
    let second =
        store.queries.list(&account(), &everything, first.next, 2).await.expect("it lists");
    assert_eq!(second.next, None);
    assert_eq!([first.payments, second.payments].concat(), all);
}

pub async fn each_filter_selects(database: Arc<Database>) {
    let store = database.store().await;
    let call = |name: &str, reference: Option<&str>| {
        let reference = reference.and_then(text);
        OpenPayment { request: PaymentRequest { reference, ..request() }.into(), ..open(name) }
    };
    let one = store.own(call("one", Some("R"))).await;
    let two = store.own(call("two", Some("r"))).await;
    let three = store.own(call("three", None)).await;
    let order = OpenPayment {
        record: RecordId { space: KeySpace::Order, ..record("one") },
        ..call("one", Some("R"))
    };
    let order = store.own(order).await;
    store.settle(settle(&two, "paid")).await;
    let review = HandOver { to: HandOverTo::Review, ..hand_over(&three) };
    store.payments.hand_over(review).await.expect("it does");
    let (one, two, three, order) =
        (one.payment.id, two.payment.id, three.payment.id, order.payment.id);
    database
        .execute(&format!(
            "UPDATE payments SET created_at = {} WHERE key = 'one' AND key_space = 'key';
             UPDATE payments SET created_at = {} WHERE key = 'two'",
            database.hours_before("created_at", 2),
            database.hours_before("created_at", 1),
        ))
        .expect("it runs");
    let middle = store.payment(two).await.created_at;

    let none = PaymentFilter::default;
    let status = |status| PaymentFilter { status: Some(status), ..none() };
    let reference = |name| PaymentFilter { reference: text(name), ..none() };
    let by_key = |name| PaymentFilter { idempotency_key: Some(key(name)), ..none() };
    let from = |at| PaymentFilter { created_from: Some(at), ..none() };
    let to = |at| PaymentFilter { created_to: Some(at), ..none() };
    let tick = Duration::MICROSECOND;
    let all_at_once = PaymentFilter {
        status: Some(PaymentStatus::Completed),
        reference: text("r"),
        idempotency_key: Some(key("two")),
        created_from: Some(middle),
        created_to: Some(middle + tick),
    };
    for (filter, expected) in [
        (none(), vec![order, three, two, one]),
        (status(PaymentStatus::Processing), vec![order, one]),
        (status(PaymentStatus::Completed), vec![two]),
        (status(PaymentStatus::NeedsReview), vec![three]),
        (status(PaymentStatus::Failed), vec![]),
        (reference("R"), vec![order, one]),
        (reference("r"), vec![two]),
        (reference("%"), vec![]),
        (by_key("one"), vec![one]),
        (by_key("ONE"), vec![]),
        (from(middle), vec![order, three, two]),
        (from(middle + tick), vec![order, three]),
        (to(middle), vec![one]),
        (to(middle + tick), vec![two, one]),
        (PaymentFilter { status: Some(PaymentStatus::Failed), ..all_at_once.clone() }, vec![]),
        (PaymentFilter { reference: text("R"), ..all_at_once.clone() }, vec![]),
        (PaymentFilter { created_to: Some(middle), ..all_at_once.clone() }, vec![]),
        (all_at_once, vec![two]),
    ] {
        let found: Vec<_> = list(&store, &filter).await.iter().map(|found| found.id).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

pub async fn each_status_lists_all_payments_that_are_in_it(database: Arc<Database>) {
    let store = database.store().await;
    let handing = async |name, to| {
        let owned = store.own(open(name)).await;
        let call = HandOver { to, ..hand_over(&owned) };
        store.payments.hand_over(call).await.expect("it does");
        owned.payment.id
    };
    let queued = match store.open(OpenPayment { queued: true, ..open("queued") }).await {
        Opened::Pending(payment) => payment.id,
        other => panic!("{other:?}"),
    };
    let running = store.own(open("running")).await.payment.id;
    let unknown = handing("unknown", HandOverTo::Recovery(HANDED_OVER_FOR)).await;
    let to_client = HandOverTo::Client { due_in: HANDED_OVER_FOR, open_for: HANDED_OVER_FOR };
    let left_open = handing("open", to_client).await;
    let in_review = handing("in-review", HandOverTo::Review).await;
    let taken_back = handing("taken-back", HandOverTo::Review).await;
    let resolved = handing("resolved", HandOverTo::Review).await;
    let mut taken = Vec::new();
    for (name, payment) in [("taken-back", taken_back), ("resolved", resolved)] {
        let (record, note) = (record(name), "Ada".to_owned());
        let take = TakeReviewed { record, payment, lease: LEASE, note };
        taken.extend(store.payments.take_reviewed(take).await.expect("it answers"));
    }
    let [_, to_resolve] = taken.as_slice() else { panic!("both were in review") };
    store.settle(settle(to_resolve, "paid")).await;
    let mut ended = Vec::new();
    for name in ["failed", "failed-before", "completed", "completed-before"] {
        let owned = store.own(open(name)).await;
        let fails = name.starts_with("failed");
        store.settle(if fails { failing(&owned) } else { settle(&owned, "paid") }).await;
        let others = store.own(OpenPayment { record: of_another(name), ..open(name) }).await;
        store.settle(if fails { failing(&others) } else { settle(&others, "paid") }).await;
        ended.push(owned.payment.id);
    }
    as_before_outcomes(&database);
    ended.push(resolved);
    let (failed, completed) = ended.split_at(2);
    for (status, expected) in [
        (PaymentStatus::Processing, &[queued, running, unknown, left_open][..]),
        (PaymentStatus::NeedsReview, &[in_review, taken_back]),
        (PaymentStatus::Failed, failed),
        (PaymentStatus::Completed, completed),
    ] {
        let filter = PaymentFilter { status: Some(status), ..PaymentFilter::default() };
        let found = list(&store, &filter).await;
        assert!(found.iter().all(|found| found.status() == status), "{status:?}");
        let ids: BTreeSet<_> = found.iter().map(|found| found.id.0).collect();
        assert_eq!(ids, expected.iter().map(|id| id.0).collect(), "{status:?}");
        assert_eq!(found.len(), expected.len(), "{status:?}");
    }
}

pub async fn failures_are_listed_in_order_and_page_by_page_however_they_are_stored(
    database: Arc<Database>,
) {
    let store = database.store().await;
    for n in 0..18 {
        let name = if n % 2 == 0 { format!("k{n}-before") } else { format!("k{n}") };
        let reference = text(if n < 9 { "older" } else { "newer" });
        let request = PaymentRequest { reference, ..request() };
        let owned = store.own(OpenPayment { request: request.into(), ..open(&name) }).await;
        let ends = if n % 3 == 0 { settle(&owned, "paid") } else { failing(&owned) };
        store.settle(ends).await;
    }
    let of_payments = "SELECT count(*) AS n FROM payment_outcomes AS outcome
        JOIN payments ON id = payment_id AND payments.created_at = outcome.created_at";
    assert_eq!(database.number(of_payments), 12);
    as_before_outcomes(&database);
    // Three moments of six payments each, of which four have failed.
    let newest = "(SELECT max(created_at) FROM payments)";
    for (hours, six) in [(2, 0..6), (1, 6..12), (0, 12..18)] {
        let keys: Vec<_> = six.map(|n| format!("'k{n}', 'k{n}-before'")).collect();
        let keys = keys.join(", ");
        let at = if hours == 0 { newest.to_owned() } else { database.hours_before(newest, hours) };
        let statements = format!(
            "UPDATE payments SET created_at = {at} WHERE key IN ({keys});
             UPDATE payment_outcomes
                 SET created_at = (SELECT created_at FROM payments WHERE id = payment_id)
                 WHERE status = 'FAILED'"
        );
        database.execute(&statements).expect("it runs");
    }
    let failed: Vec<_> = store
        .all_payments()
        .await
        .into_iter()
        .filter(|payment| payment.status() == PaymentStatus::Failed)
        .collect();
    assert_eq!(failed.len(), 12);
    let only = || PaymentFilter { status: Some(PaymentStatus::Failed), ..PaymentFilter::default() };
    for limit in [1, 2, 3, 4, 5, 11, 12, 13] {
        assert_eq!(pages(&store, &only(), limit).await, failed, "by {limit}");
    }
    let middle = failed[4].created_at;
    let from = PaymentFilter { created_from: Some(middle), ..only() };
    assert_eq!(pages(&store, &from, 3).await, failed[..8]);
    let to = PaymentFilter { created_to: Some(middle), ..only() };
    assert_eq!(pages(&store, &to, 3).await, failed[8..]);
    let older = PaymentFilter { reference: text("older"), ..only() };
    let of_older = failed.iter().filter(|payment| payment.request.reference == text("older"));
    assert!(pages(&store, &older, 2).await.iter().eq(of_older));
    let of_key = PaymentFilter { idempotency_key: Some(key("k1")), ..only() };
    assert_eq!(pages(&store, &of_key, 2).await.len(), 1);
}

/// An account's payments under way are found among few records by these, among many by going through payments.
pub async fn what_is_under_way_is_listed_beside_few_and_beside_many(database: Arc<Database>) {
    let store = database.store().await;
    let mut running = Vec::new();
    for n in 0..6 {
        let owned = store.own(open(&format!("k{n}"))).await;
        match n % 3 {
            0 => drop(store.settle(settle(&owned, "paid")).await),
            1 => drop(store.settle(failing(&owned)).await),
            _ => running.push(owned.payment.id),
        }
    }
    running.reverse();
    store.own(OpenPayment { record: of_another("others"), ..open("others") }).await;
    let under_way =
        PaymentFilter { status: Some(PaymentStatus::Processing), ..PaymentFilter::default() };
    let found = async || {
        let found = list(&store, &under_way).await;
        found.iter().map(|payment| payment.id).collect::<Vec<_>>()
    };
    assert_eq!(found().await, running);
    database
        .execute(
            "INSERT INTO idempotency_records (account_id, key_space, key, generation, subject, payment_id,
                 fingerprint_version, fingerprint, request_id, fence, opening_fence, state, due_at, is_awaited,
                 first_seen_at, last_seen_at)
             WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10001)
             SELECT account_id, key_space, 'many-' || n, generation, subject, payment_id, fingerprint_version,
                 fingerprint, request_id, fence, opening_fence, state, due_at, is_awaited, first_seen_at, last_seen_at
             FROM idempotency_records, numbers WHERE key = 'others'",
        )
        .expect("it runs");
    assert_eq!(found().await, running);
    // Without its records only whoever goes through payments finds them: so it was beside 10,002, and beside one
    // fewer.
    database
        .execute("DELETE FROM idempotency_records WHERE account_id = 'default'")
        .expect("it runs");
    let found_by_payments = found().await;
    database
        .execute("DELETE FROM idempotency_records WHERE key IN ('many-1', 'many-2')")
        .expect("it runs");
    let found_by_records = found().await;
    assert_eq!((found_by_payments, found_by_records), (running, Vec::new()));
}

fn of_another(name: &str) -> RecordId {
    RecordId { account: "another".parse().expect("valid"), ..record(name) }
}

/// Makes of ended payments, whose keys end so, what instances wrote that knew nothing of outcomes.
fn as_before_outcomes(database: &Database) {
    let ends = |status, columns| {
        format!(
            "UPDATE payments SET status = '{status}', completed_at = created_at, {columns}
                 WHERE key LIKE '%-before' AND id IN
                     (SELECT payment_id FROM payment_outcomes WHERE status = '{status}')"
        )
    };
    let statements = [
        ends("FAILED", "failure_code = 'gateway_error'"),
        ends("COMPLETED", "gateway_reference = 'ch_1'"),
        "DELETE FROM payment_outcomes
             WHERE payment_id IN (SELECT id FROM payments WHERE key LIKE '%-before')"
            .to_owned(),
    ];
    database.execute(&statements.join(";")).expect("it runs");
}

pub async fn a_filter_holds_across_pages(database: Arc<Database>) {
    let store = database.store().await;
    for n in 0..6 {
        let reference = if n % 2 == 0 { text("even") } else { text("odd") };
        let request = PaymentRequest { reference, ..request() };
        store.own(OpenPayment { request: request.into(), ..open(&format!("k{n}")) }).await;
    }
    let filter = PaymentFilter { reference: text("even"), ..PaymentFilter::default() };
    let first = store.queries.list(&account(), &filter, None, 2).await.expect("it lists");
    let last = first.payments.last().expect("two are found");
    let cursor = PageCursor { created_at: last.created_at, id: last.id };
    assert_eq!(first.next, Some(cursor));
    let second = store.queries.list(&account(), &filter, first.next, 2).await.expect("it lists");
    assert_eq!(second.next, None);
    let keys = [first.payments, second.payments].concat();
    let keys: Vec<_> = keys.iter().map(|payment| payment.record.key.as_str()).collect();
    assert_eq!(keys, ["k4", "k2", "k0"]);
}

pub async fn a_key_is_found_with_the_time_of_the_store(database: Arc<Database>) {
    let store = database.store().await;
    assert_eq!(store.keys.find(&record("k")).await.expect("it finds"), None);
    let call = open("k");
    let owned = store.own(call.clone()).await;
    store.own(open_for("other", "2")).await;
    let known = store.known(&record("k")).await;
    assert_eq!(known.record, call.record(owned.now));
    assert!(known.now >= owned.now, "{known:?}");
    assert!(store.known(&record("k")).await.now >= known.now);
    for id in [
        record("K"),
        RecordId { space: KeySpace::Order, ..record("k") },
        RecordId { account: "stranger".parse().expect("valid"), ..record("k") },
    ] {
        assert_eq!(store.keys.find(&id).await.expect("it finds"), None, "{id:?}");
    }
}

pub async fn an_unknown_payment_is_not_found(database: Arc<Database>) {
    let store = database.store().await;
    store.own(open("k")).await;
    for id in [0, 1, u128::MAX].map(|id| PaymentId(Uuid::from_u128(id))) {
        assert_eq!(store.queries.find(&account(), id).await.expect("it finds"), None);
        assert_eq!(store.queries.events(&account(), id).await.expect("it finds"), None);
    }
}

async fn list(store: &Store, filter: &PaymentFilter) -> Vec<Payment> {
    let page = store.queries.list(&account(), filter, None, 100).await.expect("it lists");
    assert_eq!(page.next, None);
    page.payments
}

/// All that the filter selects, read page by page; every page but the last is full.
async fn pages(store: &Store, filter: &PaymentFilter, limit: u32) -> Vec<Payment> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = store.queries.list(&account(), filter, after, limit).await;
        let page = page.expect("it lists");
        let size = u32::try_from(page.payments.len()).expect("small");
        assert!(page.next.is_none() || size == limit, "{size} of {limit} and more to come");
        assert!((1..=limit).contains(&size), "{size} of {limit}");
        all.extend(page.payments);
        let Some(next) = page.next else { return all };
        after = Some(next);
    }
}
