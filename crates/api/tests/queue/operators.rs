//! What an operator does about transactions that failed at every attempt.

use std::process::Output;
use std::time::Duration;

use payonce_domain::money::Money;
use payonce_domain::ports::{AnnouncedTransaction, ConcludedTransaction, Ingested};
use payonce_domain::text::Text;
use payonce_domain::transaction::{
    TransactionContents, TransactionId, TransactionKey, TransactionVerdict,
};
use payonce_testing::TestDatabase;

use crate::scene::Scene;

/// Transactions that were tried once, and given up.
async fn bury(scene: &Scene, ids: [&str; 3]) {
    let store = scene.store();
    for id in ids {
        let key = TransactionKey {
            account: "default".parse().expect("an account"),
            id: TransactionId::parse(id).expect("an id"),
        };
        let contents = TransactionContents {
            source_account: Text::parse("a").expect("valid"),
            destination_account: Text::parse("b").expect("valid"),
            money: Money::parse("1500", "INR".parse().expect("known")).expect("an amount"),
        };
        let delay = Duration::ZERO;
        let announced = AnnouncedTransaction { key: key.clone(), contents, delay };
        assert_eq!(store.transactions.ingest(announced).await.expect("stored"), Ingested::New);
        let taken = store.transactions.take_due(Duration::from_secs(60), 1).await.expect("taken");
        let fence = taken.transactions[0].fence;
        let verdict = TransactionVerdict::Dead { reason: "the bank said no".to_owned() };
        let told = vec![ConcludedTransaction { key, fence, verdict }];
        assert_eq!(store.transactions.conclude(told).await.expect("written"), [true]);
    }
    store.upkeep.close();
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_transactions_are_listed_and_tried_again() {
    for database in [TestDatabase::postgres, TestDatabase::sqlite] {
        let scene = Scene::set(database());
        let dead = |more: &[&str]| text(&scene.run(&[&["transactions", "dead"], more].concat()));
        let retry = |more: &[&str]| text(&scene.run(&[&["transactions", "retry"], more].concat()));
        let nothing = (Some(0), "no transaction is dead\n".to_owned(), String::new());
        assert_eq!(dead(&[]), nothing);
        bury(&scene, ["t1", "t2", "t3"]).await;
        let (code, listed, _) = dead(&[]);
        assert_eq!((code, listed.lines().count()), (Some(0), 3), "{listed}");
        for (line, id) in listed.lines().zip(["t1", "t2", "t3"]) {
            let told = format!("  {id}  1500.00 INR  attempts 1  the bank said no");
            assert!(line.ends_with(&told), "{line}");
        }
        assert_eq!(dead(&["--limit", "1"]).1.lines().count(), 1);
        assert_eq!(dead(&["--account", "other"]), nothing);

        let (code, out, error) = retry(&["t2", "t9"]);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(error.contains("1 due again") && error.contains("t9"), "{error}");
        assert_eq!(retry(&["--all"]).1, "t1 is due again\nt3 is due again\n");
        assert_eq!(retry(&["--all"]), nothing);
        for usage in [&[][..], &["--all", "t1"]] {
            assert_eq!(retry(usage).0, Some(2), "{usage:?}");
        }
        let _instance = scene.serve().await;
        scene.each_is_processed_once(3).await;
    }
}
