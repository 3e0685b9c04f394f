//! The circuit breaker: what clients are told while nothing gets through to the gateway.

use payonce_domain::ports::LedgerEntry;
use payonce_testing::TestDatabase;

use crate::line::Line;
use crate::services::{Running, eventually, send};

pub async fn a_gateway_that_refuses_connections_is_not_called_for_fresh_keys(
    database: TestDatabase,
) {
    let mut scene = Scene::set(&database).await;
    scene.line.cut().await;
    scene.goes_through_it(&database).await;
}

pub async fn a_gateway_that_never_answers_is_not_called_for_fresh_keys(database: TestDatabase) {
    let mut scene = Scene::set(&database).await;
    scene.line.choke().await;
    scene.goes_through_it(&database).await;
}

struct Scene {
    gateway: Running,
    line: Line,
    payer: Running,
    _books: TestDatabase,
}

impl Scene {
    /// A payer without workers, which has paid under the key `paid`.
    async fn set(database: &TestDatabase) -> Self {
        let books = TestDatabase::sqlite();
        let gateway = Running::gateway(&books, &[]).await;
        let line = Line::to(gateway.address);
        let payer = Running::payer(database, line.address, &[]).await;
        assert_eq!(payer.pay("paid").await.status, 201);
        Self { gateway, line, payer, _books: books }
    }

    /// From the first payment that is lost to the last that is settled.
    async fn goes_through_it(mut self, database: &TestDatabase) {
        let backlog = self.is_refused_after_a_while().await;
        self.answers_known_keys(&backlog).await;
        self.line.restore().await;
        // Under the key that was refused: it is as fresh as it was.
        eventually("fresh payments are made again", async || {
            let answer = self.payer.pay("fresh").await;
            assert!([201, 503].contains(&answer.status), "{answer:?}");
            answer.status == 201
        })
        .await;
        let recovering = Running::recovering_payer(database, self.line.address, &[]).await;
        self.is_settled(&backlog).await;
        assert!(recovering.stop().await);
        assert!(self.payer.stop().await);
        assert!(self.gateway.stop().await);
    }

    /// Pays until the circuit is open; returns the keys of what was begun before.
    async fn is_refused_after_a_while(&self) -> Vec<String> {
        let mut backlog = Vec::new();
        let refused = loop {
            let (key, before) = (format!("lost-{}", backlog.len()), self.line.connections());
            let answer = self.payer.pay(&key).await;
            if answer.status == 503 {
                assert_eq!(self.line.connections(), before, "the gateway was not called");
                break answer;
            }
            assert_eq!((answer.status, &answer.json()["status"]), (202, &"PROCESSING".into()));
            backlog.push(key);
            assert!(backlog.len() < 10, "the circuit does not open");
        };
        let problem = refused.json();
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert_eq!(problem["code"], "gateway_unavailable");
        assert_eq!(problem["safe_new_key"], false);
        assert!(refused.header("retry-after").parse::<u64>().expect("seconds") >= 1);
        let key = self.payer.get(&format!("/v1/idempotency-keys/lost-{}", backlog.len())).await;
        assert_eq!(key.status, 404, "nothing was stored");
        assert_eq!(self.payer.statuses().await.len(), backlog.len() + 1);
        backlog
    }

    async fn answers_known_keys(&self, backlog: &[String]) {
        let before = self.line.connections();
        let replay = self.payer.pay("paid").await;
        assert_eq!((replay.status, replay.header("idempotent-replayed")), (201, "true"));
        for key in backlog {
            let state = self.payer.pay(key).await;
            assert_eq!((state.status, &state.json()["status"]), (202, &"PROCESSING".into()));
            let other = send(self.payer.payment_of(key, r#"{"amount":7}"#)).await;
            assert_eq!(
                (other.status, &other.json()["code"]),
                (422, &"idempotency_key_reused".into())
            );
            let known = self.payer.get(&format!("/v1/idempotency-keys/{key}")).await;
            assert_eq!(known.json()["state"], "in_progress");
        }
        assert_eq!(self.line.connections(), before, "the gateway was not called");
    }

    /// Each is final, replayed, and charged once if completed and never if failed.
    async fn is_settled(&self, backlog: &[String]) {
        let mut completed = 2;
        for key in backlog {
            eventually("the backlog is settled", async || self.payer.pay(key).await.status != 202)
                .await;
            let answer = self.payer.pay(key).await;
            assert_eq!(answer.header("idempotent-replayed"), "true");
            let payment = self.payer.payment(&answer).await;
            let entry = self.gateway.entry(payment.gateway_key).await;
            match answer.status {
                201 => completed += 1,
                502 => assert_eq!(entry, Some(LedgerEntry::Voided)),
                other => panic!("{other}: {answer:?}"),
            }
        }
        assert!(completed > 2, "the last of the backlog was begun and not given up: it is charged");
        assert_eq!(self.gateway.live_charges().await, completed);
    }
}
