//! Several processes on one database, some of which are killed, paused or stopped.

use futures_util::StreamExt;
use futures_util::stream;
use payonce_testing::TestDatabase;
use rustix::process::Signal;

use crate::scene::{Instance, Scene, eventually};

const STORES: [fn() -> TestDatabase; 2] = [TestDatabase::postgres, TestDatabase::sqlite];

/// The ids of `count` webhooks, of which three of ten repeat an earlier one.
fn ids(count: usize) -> impl Iterator<Item = String> + Clone {
    (0..count).map(|n| if n % 10 < 7 { format!("t{n}") } else { format!("t{}", n - 7) })
}

/// Announces each by the instance whose turn it is, 16 at a time, and again as long as it is not
/// accepted.
async fn announce_all(instances: &[&Instance], ids: impl Iterator<Item = String>) {
    let calls = ids.enumerate().map(|(n, id)| {
        let instance = instances[n % instances.len()];
        async move {
            let is_accepted = async || instance.announce(&id).await == Some(202);
            eventually("it is accepted", is_accepted).await;
        }
    });
    stream::iter(calls).buffer_unordered(16).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_process_each_transaction_once() {
    for database in STORES {
        let scene = Scene::set(database());
        let (one, other) = (scene.serve().await, scene.serve().await);
        announce_all(&[&one, &other], ids(400)).await;
        scene.each_is_processed_once(280).await;
        let taken_once = "SELECT count(*) FROM transactions WHERE fence = 1 AND attempts = 1";
        assert_eq!(scene.database.number(taken_once), 280);
        assert_eq!(one.status("t0").await, "PROCESSED");
        let counted = async || one.processed().await + other.processed().await == 280.0;
        eventually("both together have counted each once", counted).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_loses_nothing_it_accepted_and_processes_nothing_twice() {
    for database in STORES {
        let scene = Scene::set(database());
        let mut killed = scene.serve().await;
        let calls: Vec<_> = ids(2_000)
            .map(|id| {
                let call = killed.announce(&id);
                async move { (id, call.await) }
            })
            .collect();
        let answers = stream::iter(calls).buffer_unordered(16);
        let sending = tokio::spawn(answers.collect::<Vec<_>>());
        eventually("some are processed", async || scene.processed() > 30).await;
        killed.child.kill().expect("it lives");
        killed.child.wait().expect("it is dead");
        let answers = sending.await.expect("all are answered or refused");
        let accepted: Vec<_> =
            answers.iter().filter(|(_, status)| *status == Some(202)).map(|(id, _)| id).collect();
        assert!(accepted.len() > 30 && accepted.len() < 2_000, "it was killed in the middle");
        assert!(scene.processed() < scene.stored(), "it was killed in the middle");

        let heir = scene.serve().await;
        for id in accepted.iter().take(20) {
            // It is known, whatever became of it: a refused one would have no status.
            assert!(["PROCESSING", "PROCESSED"].contains(&heir.status(id).await.as_str()));
        }
        // Senders repeat what was not answered.
        announce_all(&[&heir], ids(2_000)).await;
        scene.each_is_processed_once(1_400).await;
    }
}

/// On PostgreSQL only: a process that is paused within a write keeps a SQLite file for itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_paused_for_longer_than_its_lease_processes_nothing_twice() {
    let scene = Scene::set(TestDatabase::postgres());
    let paused = scene.serve().await;
    announce_all(&[&paused], ids(600)).await;
    eventually("it is at work", async || scene.processed() > 0).await;
    paused.signal(Signal::STOP);
    let other = scene.serve().await;
    announce_all(&[&other], ids(800)).await;
    scene.each_is_processed_once(560).await;
    paused.signal(Signal::CONT);
    announce_all(&[&paused, &other], ids(800)).await;
    scene.each_is_processed_once(560).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_instance_leaves_what_waits_to_the_next() {
    for database in STORES {
        let scene = Scene::set(database());
        let mut stopped = scene.serve().await;
        announce_all(&[&stopped], ids(200)).await;
        stopped.signal(Signal::TERM);
        assert_eq!(stopped.child.wait().expect("it ends").code(), Some(0));
        let running = "SELECT count(*) FROM transactions WHERE state = 'running'";
        assert_eq!(scene.database.number(running), 0, "what it was at has come to its end");
        let _next = scene.serve().await;
        scene.each_is_processed_once(140).await;
    }
}
