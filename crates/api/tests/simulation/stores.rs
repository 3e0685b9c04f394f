//! A service of its own, on either store, with an unstable gateway beside it.

use payonce_testing::TestDatabase;

use crate::run::run;

/// Runs one promise with a database of its own.
pub async fn keep<P, F>(make: fn() -> TestDatabase, promise: P)
where
    P: FnOnce(TestDatabase) -> F,
    F: Future<Output = ()>,
{
    promise(make()).await;
}

pub async fn a_service_of_its_own_pays_every_payment_once(database: TestDatabase) {
    let size = ["--clients", "20", "--payments", "200", "--duplicates", "0.5", "--seed", "3"];
    let unstable = ["--failure-rate", "0.3", "--database-url", database.url()];
    let ended = run(&[size.as_slice(), &unstable].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let last = ended.last_line();
    assert!(last.starts_with("all promises kept: 200 payments, "), "{ended:?}");
    assert!(last.ends_with(", 0 double charges"), "{ended:?}");
    let store = if database.is_postgres() { "PostgreSQL" } else { "SQLite" };
    assert!(ended.out.contains(&format!("a service of its own, {store}")), "{ended:?}");

    let count = |condition: &str| {
        let rows =
            database.number(&format!("SELECT count(*) FROM payment_states WHERE {condition}"));
        u64::try_from(rows).expect("no fewer than none")
    };
    assert_eq!((count("1 = 1"), count("status = 'PROCESSING'")), (200, 0));
    assert_eq!(ended.row("charges at the gateway"), count("status = 'COMPLETED'"), "{ended:?}");
    assert!(count("attempts > 1") > 20, "the gateway was to be unstable");
    let rows = ["replays", "conflicts", "accepted (202)", "retries"].map(|name| ended.row(name));
    assert!(rows.iter().all(|row| *row > 0), "{ended:?}");
}
