//! What holds behind a transaction pooler, beside everything that holds of each store.

use payonce_adapters::measurements::Measurements;
use payonce_adapters::postgres::PostgresStore;
use payonce_adapters::{StoreOptions, Upkeep};
use payonce_testing::TestDatabase;

use crate::harness::OPTIONS;

async fn meets_a_pooler(url: &str, direct_url: Option<&str>) -> bool {
    let options = StoreOptions { direct_url: direct_url.map(str::to_owned), ..OPTIONS };
    let store = PostgresStore::new(url, options, &Measurements::default()).expect("a URL");
    let meets = store.meets_a_pooler().await.expect("the server is there");
    store.close();
    meets
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_the_store_was_not_told_of_is_noticed() {
    let database = TestDatabase::pooled();
    let pooler = database.pooler_url().expect("it is behind one");
    assert!(meets_a_pooler(pooler, None).await);
    assert!(!meets_a_pooler(pooler, Some(database.url())).await, "it was told");
    assert!(!meets_a_pooler(database.url(), None).await, "there is none");
}
