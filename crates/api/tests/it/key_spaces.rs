//! One key in several formats: it is one key in all that take keys, and no order.

use std::sync::Arc;

use futures_util::future::join_all;
use payonce_domain::payment::Operation;
use payonce_domain::ports::HandOverTo;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp};
use crate::elsewhere::Elsewhere;
use crate::latency;

/// The formats whose keys meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Canonical,
    Pay,
    Opaque,
}

const ALL: [Format; 3] = [Format::Canonical, Format::Pay, Format::Opaque];

impl Format {
    fn request(self, app: &TestApp, key: &str) -> RequestBuilder {
        match self {
            Self::Canonical => app.payment(key, BODY),
            Self::Pay => {
                let body = json!({"user_id": "user123", "amount": 100, "idempotency_key": key});
                app.post("/pay").body(body.to_string())
            }
            Self::Opaque => {
                let body = json!({"idempotency_id": key, "request_data": "data"});
                app.post("/api/payment/v1/payments").body(body.to_string())
            }
        }
    }

    async fn send(self, app: &TestApp, key: &str) -> Answer {
        Answer::to(self.request(app, key)).await
    }

    fn good_status(self) -> u16 {
        match self {
            Self::Canonical | Self::Opaque => 201,
            Self::Pay => 200,
        }
    }

    /// It is told, in its own form, that the key is another request's.
    #[track_caller]
    fn is_refused(self, answer: &Answer) {
        match self {
            Self::Canonical => {
                let problem = answer.is_refused(422, "idempotency_key_reused");
                let fields = problem["differing_fields"].as_array().expect("a list");
                assert!(fields.contains(&json!("operation")), "{problem}");
            }
            Self::Pay => drop(answer.is_error(422)),
            Self::Opaque => drop(answer.is_detail(422)),
        }
    }
}

pub async fn a_settled_key_is_no_key_of_another_format(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for first in ALL {
        let key = format!("{first:?}");
        let answered = first.send(&app, &key).await;
        answered.is(first.good_status());
        for other in ALL.into_iter().filter(|other| *other != first) {
            let refused = other.send(&app, &key).await;
            other.is_refused(&refused);
            if other == Format::Canonical {
                let link = refused.json();
                assert_eq!(link.get("payment_id").is_some(), first != Format::Opaque, "{link}");
            }
        }
        let repeat = first.send(&app, &key).await;
        assert_eq!(repeat.is(first.good_status()).body, answered.body);
    }
    assert_eq!((app.charges(), app.payments().await.len()), (2, 2));
}

pub async fn an_unsettled_key_is_no_key_of_another_format(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let hour = std::time::Duration::from_secs(3600);
    for (first, operation) in
        [(Format::Canonical, Operation::CreatePayment), (Format::Pay, Operation::Pay)]
    {
        for (state, to) in [
            ("running", None),
            ("unknown", Some(HandOverTo::Recovery(hour))),
            ("open", Some(HandOverTo::Client { due_in: hour, open_for: hour })),
            ("review", Some(HandOverTo::Review)),
        ] {
            let key = format!("{first:?}-{state}");
            let running = Elsewhere::opens_in_format(&app, &key, operation).await;
            if let Some(to) = to {
                running.hands_over(to).await;
            }
            for other in ALL.into_iter().filter(|other| *other != first) {
                let waits = other.request(&app, &key).header("Prefer", "wait=3600");
                other.is_refused(&Answer::to(waits).await);
            }
            let known = app.key(&key).await.expect("it is known");
            assert_eq!(known["state"], "in_progress", "{key}");
            assert_eq!(known["payment_id"], running.payment(), "{key}");
        }
    }
    assert_eq!(app.charges(), 0);
    assert_eq!(app.payments().await.len(), 8);
}

/// In the process that is paying, too: there a duplicate does not ask the store.
pub async fn of_one_key_in_all_formats_at_once_one_format_wins(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &latency!("100ms")).await;
    let mut payments = 0;
    for round in 0..6 {
        let key = format!("k{round}");
        let formats: Vec<_> = (0..24).map(|at| ALL[(at + round) % 3]).collect();
        let requests = formats.iter().map(|format| {
            let request = format.request(&app, &key).header("Prefer", "wait=3600");
            tokio::spawn(Answer::to(request))
        });
        let answers = join_all(requests.collect::<Vec<_>>()).await;
        let mut winners = Vec::new();
        for (format, answer) in formats.into_iter().zip(answers) {
            let answer = answer.expect("no panic");
            if answer.status == format.good_status() {
                winners.push((format, answer));
            } else {
                format.is_refused(&answer);
            }
        }
        assert_eq!(winners.len(), 8, "{winners:?}");
        let (winner, answer) = &winners[0];
        for (format, other) in &winners {
            assert_eq!((format, &other.body), (winner, &answer.body));
        }
        payments += usize::from(*winner != Format::Opaque);
        assert_eq!(app.charges(), payments);
    }
    assert_eq!(app.payments().await.len(), payments);
}

pub async fn an_order_and_a_key_of_one_spelling_do_not_meet(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for first in ALL {
        for is_order_first in [true, false] {
            let name = format!("{first:?}-{is_order_first}");
            let start = async || {
                let order = json!({"order_id": name, "amount": 100}).to_string();
                app.send("/payments/start/", order).await.is(200).json()["payment_id"].clone()
            };
            let order = if is_order_first { Some(start().await) } else { None };
            let answer = first.send(&app, &name).await;
            answer.is(first.good_status());
            assert_eq!(answer.header("Idempotent-Replayed"), Some("false"));
            let order = match order {
                Some(order) => order,
                None => start().await,
            };
            assert_eq!(start().await, order);
            assert_eq!(first.send(&app, &name).await.body, answer.body);
            let known = app.key(&name).await.expect("it is known");
            assert_ne!(known["payment_id"], order);
            let report = app.get(&format!("/payments/start/{name}")).await.is(200).json();
            assert_eq!(report["payment_id"], order);
        }
    }
    assert_eq!(app.charges(), 10, "six orders, and four payments with keys");
}
