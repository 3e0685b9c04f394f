//! What PostgreSQL's schema promises beside the tables, and to whoever is connected while it changes.

use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use payonce_adapters::StoreOptions;
use payonce_domain::ports::{Opened, Settled};
use payonce_testing::TestDatabase;

use crate::fixtures::{account, open, record, settle};
use crate::harness::{OPTIONS, keep};

/// An index in the order of a language breaks when that order does. What Diesel keeps of migrations is
/// its own; digits have one order.
#[tokio::test(flavor = "multi_thread")]
async fn no_index_is_in_the_order_of_a_language() {
    keep(TestDatabase::postgres, async |database| {
        let _store = database.store().await;
        let columns = |collation: &str| {
            database.number(&format!(
                "SELECT count(*) FROM pg_index, unnest(indcollation) AS of_column
                 WHERE of_column {collation} '\"C\"'::regcollation AND of_column <> 0
                     AND indrelid <> '__diesel_schema_migrations'::regclass
                     AND indrelid IN (SELECT oid FROM pg_class
                         WHERE relnamespace = current_schema()::regnamespace)"
            ))
        };
        assert_eq!(columns("<>"), 0);
        assert!(columns("=") > 0);
    })
    .await;
}

/// The only connection has prepared its statements: whichever cannot run any more is prepared anew.
#[tokio::test(flavor = "multi_thread")]
async fn columns_that_change_under_an_instance_fail_none_of_its_calls() {
    keep(TestDatabase::postgres, async |database| {
        let store = database.store_with(StoreOptions { pool_size: 1, ..OPTIONS }).await;
        let owned = store.own(open("k")).await;
        let Settled::Stored(answer) = store.settle(settle(&owned, "paid")).await else {
            panic!("it is the owner's")
        };
        for collation in ["\"POSIX\"", "\"C\"", "\"POSIX\""] {
            let of_key = store.known(&record("k")).await.record;
            let of_id = store.queries.find(&account(), owned.payment.id).await.expect("it finds");
            assert_eq!(store.open(open("k")).await, Opened::Replay(answer.clone()));
            let change = format!(
                "ALTER TABLE idempotency_records ALTER answer_location TYPE text COLLATE {collation},
                     ALTER request_id TYPE text COLLATE {collation};
                 ALTER TABLE payments ALTER currency TYPE text COLLATE {collation}"
            );
            database.execute(&change).expect("it runs");
            assert_eq!(store.open(open("k")).await, Opened::Replay(answer.clone()));
            assert_eq!(store.known(&record("k")).await.record, of_key);
            let found = store.queries.find(&account(), owned.payment.id).await;
            assert_eq!(found.expect("it finds"), of_id);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_granted_on_the_timeline_outlives_migrations() {
    keep(TestDatabase::postgres, async |database| {
        let store = database.store().await;
        let role = format!("reader_{}", uuid::Uuid::new_v4().simple());
        let may_read = || {
            let may = format!("SELECT has_table_privilege('{role}', 'payment_timeline', 'SELECT')");
            database.number(&format!("SELECT ({may})::int::bigint"))
        };
        let mut conn = PgConnection::establish(database.url()).expect("the server is there");
        conn.batch_execute(&format!("CREATE ROLE {role}")).expect("it is made");
        let before = may_read();
        conn.batch_execute(&format!("GRANT SELECT ON payment_timeline TO {role}")).expect("it may");
        let reverted = store.schema.migrate_down().await.expect("it reverts");
        assert!(reverted.is_some_and(|newest| newest.contains("001600")));
        let after_down = may_read();
        store.schema.migrate_up().await.expect("it migrates");
        let after_up = may_read();
        let gone = format!("DROP OWNED BY {role}; DROP ROLE {role}");
        conn.batch_execute(&gone).expect("it goes");
        assert_eq!((before, after_down, after_up), (0, 1, 1));
    })
    .await;
}
