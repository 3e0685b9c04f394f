//! The books of a gateway: whoever enters a key first decides it for good.

use std::sync::Arc;

use payonce_adapters::gateway::Ledger;
use payonce_domain::gateway::GatewayKey;
use payonce_domain::ports::{
    ChargeContents, ChargeLedger, Entered, LedgerCharge, LedgerEntry, RepositoryError,
};
use uuid::Uuid;

use crate::harness::{Call, Database, OPTIONS, race};

type Books = Arc<dyn ChargeLedger>;

fn key(number: u128) -> GatewayKey {
    GatewayKey(Uuid::from_u128(number))
}

fn charge(key: GatewayKey) -> LedgerCharge {
    LedgerCharge {
        id: format!("ch_{key}"),
        contents: ChargeContents {
            amount: "100.00".to_owned(),
            currency: "USD".to_owned(),
            payment_method: Some("tok_„visa“ 🐚".to_owned()),
        },
        reference: Some("p-1".to_owned()),
        decline_code: None,
    }
}

/// The same charge as somebody else spells it.
fn relabelled(key: GatewayKey, label: usize) -> LedgerCharge {
    LedgerCharge { reference: Some(format!("p-{label}")), ..charge(key) }
}

async fn execute(books: &Books, key: GatewayKey, charge: &LedgerCharge) -> Entered {
    books.execute(key, Arc::new(charge.clone())).await.expect("it enters")
}

async fn void(books: &Books, key: GatewayKey) -> LedgerEntry {
    books.void(key).await.expect("it enters")
}

async fn found(books: &Books, key: GatewayKey) -> Option<LedgerEntry> {
    books.find(key).await.expect("it finds")
}

async fn live(books: &Books) -> u64 {
    books.live_charges().await.expect("it counts")
}

/// Executes, for a race.
fn executing(books: &Books, key: GatewayKey, charge: LedgerCharge) -> Call<Entered> {
    let books = Arc::clone(books);
    Box::pin(async move { execute(&books, key, &charge).await })
}

/// Voids, for a race.
fn voiding(books: &Books, key: GatewayKey) -> Call<Entered> {
    let books = Arc::clone(books);
    Box::pin(async move { Entered { entry: void(&books, key).await, is_new: false } })
}

async fn one_of_50_executes(stores: &[Books]) {
    for round in 1..=3 {
        let key = key(round);
        let calls = stores.iter().cycle().take(50).enumerate();
        let calls = calls.map(|(label, books)| executing(books, key, relabelled(key, label)));
        let entered = race(calls).await;
        assert_eq!(entered.iter().filter(|one| one.is_new).count(), 1, "{entered:?}");
        let stands = found(&stores[0], key).await.expect("it was entered");
        assert!(entered.iter().all(|one| one.entry == stands), "{entered:?}");
    }
    for books in stores {
        assert_eq!(live(books).await, 3);
    }
}

async fn first_of_charge_and_void_stays(stores: &[Books]) {
    let mut charged = 0;
    for round in 1..=20 {
        let key = key(round);
        let calls = stores.iter().cycle().take(8).enumerate();
        let calls = calls.map(|(number, books)| match number % 2 {
            0 => executing(books, key, charge(key)),
            _ => voiding(books, key),
        });
        let entered = race(calls).await;
        let stands = found(&stores[0], key).await.expect("it was entered");
        assert!(entered.iter().all(|one| one.entry == stands), "{entered:?}");
        charged += u64::from(stands != LedgerEntry::Voided);
    }
    assert_eq!(live(&stores[0]).await, charged);
}

async fn charge_is_kept(books: &Books) {
    let bare = LedgerCharge {
        contents: ChargeContents { payment_method: None, ..charge(key(2)).contents },
        reference: None,
        ..charge(key(2))
    };
    let declined = LedgerCharge { decline_code: Some("no_funds".to_owned()), ..charge(key(3)) };
    for (key, charge) in [(key(1), charge(key(1))), (key(2), bare), (key(3), declined)] {
        assert_eq!(found(books, key).await, None);
        let entry = LedgerEntry::Charge(Arc::new(charge.clone()));
        let entered = execute(books, key, &charge).await;
        assert_eq!(entered, Entered { entry: entry.clone(), is_new: true });
        let again = execute(books, key, &relabelled(key, 9)).await;
        assert_eq!(again, Entered { entry: entry.clone(), is_new: false });
        assert_eq!(found(books, key).await, Some(entry));
    }
    assert_eq!(live(books).await, 2, "what was declined moved no money");
}

async fn burnt_key_is_never_charged(books: &Books) {
    for _ in 0..2 {
        assert_eq!(void(books, key(1)).await, LedgerEntry::Voided);
    }
    let refused = Entered { entry: LedgerEntry::Voided, is_new: false };
    assert_eq!(execute(books, key(1), &charge(key(1))).await, refused);
    assert_eq!(found(books, key(1)).await, Some(LedgerEntry::Voided));
    assert_eq!(live(books).await, 0);
}

async fn charge_is_beyond_voiding(books: &Books) {
    let declined = LedgerCharge { decline_code: Some("no_funds".to_owned()), ..charge(key(2)) };
    for (key, charge) in [(key(1), charge(key(1))), (key(2), declined)] {
        execute(books, key, &charge).await;
        let entry = LedgerEntry::Charge(Arc::new(charge));
        assert_eq!(void(books, key).await, entry);
        assert_eq!(found(books, key).await, Some(entry));
    }
    assert_eq!(live(books).await, 1);
}

async fn pages_hold_every_entry_once(books: &Books) {
    let numbers = [7, 1, u128::MAX, 1 << 127, 300];
    for number in numbers {
        match number {
            300 => drop(void(books, key(number)).await),
            _ => drop(execute(books, key(number), &charge(key(number))).await),
        }
    }
    let page = async |after, limit| books.entries(after, limit).await.expect("it reads");
    let first = page(None, 2).await;
    let second = page(first.last().map(|(key, _)| *key), 100).await;
    let all = [first.clone(), second].concat();
    let keys: Vec<u128> = all.iter().map(|(key, _)| key.0.as_u128()).collect();
    assert_eq!((first.len(), keys), (2, vec![1, 7, 300, 1 << 127, u128::MAX]));
    for (key, entry) in all {
        assert_eq!(found(books, key).await, Some(entry));
    }
    assert_eq!(page(Some(key(u128::MAX)), 1).await, vec![]);
}

/// Fails where a key is looked for first and entered later.
pub async fn a_key_is_charged_once_by_50_racing_callers(database: Arc<Database>) {
    one_of_50_executes(&[database.store().await.charges]).await;
}

pub async fn a_key_is_charged_once_by_two_instances(database: Arc<Database>) {
    one_of_50_executes(&[database.store().await.charges, database.store().await.charges]).await;
}

pub async fn of_a_charge_and_a_void_the_first_stays(database: Arc<Database>) {
    let stores = [database.store().await.charges, database.store().await.charges];
    first_of_charge_and_void_stays(&stores).await;
}

pub async fn a_charge_is_kept_as_it_was_entered_first(database: Arc<Database>) {
    charge_is_kept(&database.store().await.charges).await;
}

pub async fn a_burnt_key_is_never_charged(database: Arc<Database>) {
    burnt_key_is_never_charged(&database.store().await.charges).await;
}

pub async fn a_charge_is_beyond_voiding(database: Arc<Database>) {
    charge_is_beyond_voiding(&database.store().await.charges).await;
}

pub async fn books_are_read_in_pages_that_hold_every_entry_once(database: Arc<Database>) {
    pages_hold_every_entry_once(&database.store().await.charges).await;
}

pub async fn books_outlive_the_store_that_wrote_them(database: Arc<Database>) {
    let first = database.store().await;
    execute(&first.charges, key(1), &charge(key(1))).await;
    void(&first.charges, key(2)).await;
    first.schema.close();
    let second = database.store().await.charges;
    let replayed = Entered { entry: LedgerEntry::Charge(charge(key(1)).into()), is_new: false };
    assert_eq!(execute(&second, key(1), &relabelled(key(1), 9)).await, replayed);
    assert_eq!(found(&second, key(2)).await, Some(LedgerEntry::Voided));
    assert_eq!(live(&second).await, 1);
}

pub async fn an_entry_that_no_rule_allows_is_named_and_never_repaired(database: Arc<Database>) {
    let store = database.store().await;
    execute(&store.charges, key(1), &charge(key(1))).await;
    for (column, value) in [
        ("status", "'declined'"),
        ("status", "'refunded'"),
        ("decline_code", "'no_funds'"),
        ("charge_id", "NULL"),
        ("amount", "NULL"),
        ("currency", "NULL"),
    ] {
        let change = format!("UPDATE gateway_charges SET {column} = {value}");
        database.execute(&change).expect_err("a CHECK refuses it");
    }
    database.execute_unchecked("UPDATE gateway_charges SET status = 'refunded'");
    for refused in [
        store.charges.find(key(1)).await.map(|_| ()),
        store.charges.execute(key(1), charge(key(1)).into()).await.map(|_| ()),
        store.charges.void(key(1)).await.map(|_| ()),
    ] {
        let Err(RepositoryError::Inconsistent { place, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(place, format!("gateway_charges.status of key {}", key(1)));
    }
}

pub async fn books_out_of_reach_are_unavailable(database: Arc<Database>) {
    let books = database.unreachable_store().charges;
    let refused = books.execute(key(1), charge(key(1)).into()).await;
    assert!(matches!(refused, Err(RepositoryError::Unavailable(_))), "{refused:?}");
    let not_migrated = database.empty_store(OPTIONS).charges;
    assert!(not_migrated.find(key(1)).await.is_err());
}

/// The books in memory keep the same promises, but die with their process.
mod memory {
    use super::{
        Arc, Books, Ledger, burnt_key_is_never_charged, charge_is_beyond_voiding, charge_is_kept,
        first_of_charge_and_void_stays, one_of_50_executes, pages_hold_every_entry_once,
    };

    fn books() -> Books {
        Arc::new(Ledger::default())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_is_charged_once_by_50_racing_callers() {
        one_of_50_executes(&[books()]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_charge_and_a_void_the_first_stays() {
        first_of_charge_and_void_stays(&[books()]).await;
    }

    #[tokio::test]
    async fn a_charge_is_kept_as_it_was_entered_first() {
        charge_is_kept(&books()).await;
    }

    #[tokio::test]
    async fn a_burnt_key_is_never_charged() {
        burnt_key_is_never_charged(&books()).await;
    }

    #[tokio::test]
    async fn books_are_read_in_pages_that_hold_every_entry_once() {
        pages_hold_every_entry_once(&books()).await;
    }

    #[tokio::test]
    async fn a_charge_is_beyond_voiding() {
        charge_is_beyond_voiding(&books()).await;
    }
}
