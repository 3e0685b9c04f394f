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
                "DO $$
                 DECLARE states text := pg_get_viewdef('payment_states'::regclass);
                 BEGIN
                     ALTER TABLE idempotency_records
                         ALTER answer_location TYPE text COLLATE {collation},
                         ALTER request_id TYPE text COLLATE {collation};
                     DROP VIEW payment_states;
                     ALTER TABLE payments ALTER currency TYPE text COLLATE {collation};
                     EXECUTE 'CREATE VIEW payment_states AS ' || states;
                 END $$"
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
async fn what_was_granted_outlives_migrations_and_holds_for_what_takes_its_place() {
    keep(TestDatabase::postgres, async |database| {
        let store = database.store().await;
        let role = format!("reader_{}", uuid::Uuid::new_v4().simple());
        let may = |privilege: &str, relation: &str| {
            let may = format!("has_table_privilege('{role}', '{relation}', '{privilege}')");
            database.number(&format!("SELECT ({may})::int::bigint")) == 1
        };
        let mut conn = PgConnection::establish(database.url()).expect("the server is there");
        conn.batch_execute(&format!("CREATE ROLE {role}")).expect("it is made");
        let before = may("SELECT", "payment_timeline");
        let nobody = format!("{role}_by_default");
        let grants = format!(
            "GRANT SELECT ON payment_timeline, payments TO {role};
             GRANT INSERT, SELECT ON payment_events TO {role};
             CREATE ROLE {nobody};
             DO $$ BEGIN EXECUTE format(
                 'ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT ALL ON TABLES TO {role}, {nobody}',
                 current_schema());
             END $$"
        );
        conn.batch_execute(&grants).expect("it may");
        let mut after_down = Vec::new();
        for newest in ["001800", "001700", "001600"] {
            let reverted = store.schema.migrate_down().await.expect("it reverts");
            assert!(reverted.is_some_and(|reverted| reverted.contains(newest)));
            after_down.push(may("SELECT", "payment_timeline"));
        }
        store.schema.migrate_up().await.expect("it migrates");
        let after_up = [
            ("SELECT", "payment_timeline"),
            ("SELECT", "payment_states"),
            ("INSERT", "payment_outcomes"),
            ("SELECT", "payment_outcomes"),
            ("UPDATE", "payment_outcomes"),
            ("INSERT", "payment_states"),
        ]
        .map(|(privilege, relation)| may(privilege, relation));
        let by_default = database.number(&format!(
            "SELECT count(*) FROM pg_class CROSS JOIN aclexplode(relacl) AS privilege
             WHERE pg_class.oid IN ('payment_outcomes'::regclass, 'payment_states'::regclass)
                 AND grantee = '{nobody}'::regrole"
        ));
        let gone = format!(
            "DROP OWNED BY {role}, {nobody};
             DROP ROLE {role}, {nobody}"
        );
        conn.batch_execute(&gone).expect("it goes");
        assert!(!before);
        assert_eq!(after_down, [true, true, true]);
        assert_eq!(after_up, [true, true, true, true, false, false]);
        assert_eq!(by_default, 0);
    })
    .await;
}
