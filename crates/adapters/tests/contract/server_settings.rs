//! What a store says of its server's settings.

use payonce_adapters::measurements::Measurements;
use payonce_adapters::postgres::PostgresStore;
use payonce_adapters::sqlite::SqliteStore;
use payonce_adapters::{StoreOptions, Upkeep};
use payonce_testing::TestDatabase;

use crate::harness::OPTIONS;

async fn weaknesses(store: impl Upkeep) -> Vec<String> {
    let weaknesses = store.weaknesses().await.expect("the store answers");
    store.close();
    weaknesses
}

fn on_postgres(url: &str, pool_size: usize) -> PostgresStore {
    let options = StoreOptions { pool_size, ..OPTIONS };
    PostgresStore::new(url, options, &Measurements::default()).expect("a URL")
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_trouble_last_are_named_with_advice() {
    let database = TestDatabase::postgres();
    let checked = |interval: u32| {
        let setting = format!("%20-cclient_connection_check_interval%3D{interval}");
        database.url().to_owned() + &setting
    };

    assert_eq!(weaknesses(on_postgres(&checked(1000), 2)).await, Vec::<String>::new());

    let [patient] = &weaknesses(on_postgres(&checked(0), 2)).await[..] else { panic!("one") };
    assert!(patient.contains("client_connection_check_interval = 0"), "{patient}");
    assert!(patient.contains("set it to 1s"), "{patient}");

    let [small] = &weaknesses(on_postgres(&checked(1000), 5000)).await[..] else { panic!("one") };
    assert!(small.starts_with("max_connections = "), "{small}");
    assert!(small.contains("database.pool_size"), "{small}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_no_such_settings() {
    let database = TestDatabase::sqlite();
    let store = SqliteStore::new(database.url(), OPTIONS, &Measurements::default());
    assert_eq!(weaknesses(store.expect("a URL")).await, Vec::<String>::new());
}
