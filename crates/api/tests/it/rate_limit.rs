//! Who asks too often.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use payonce_testing::RedisCorner;
use reqwest::{Client, Method};

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp, eventually};
use crate::wire::{self, Wire};

const BURST: u32 = 20;
const LIMITED: [(&str, &str); 2] =
    [("PAYONCE__RATE_LIMIT__PER_SECOND", "1"), ("PAYONCE__RATE_LIMIT__BURST", "20")];

/// Asks until it is refused.
async fn refused(app: &TestApp, ask: impl AsyncFn() -> Answer) -> Answer {
    eventually("the limit is reached", async || {
        let answer = ask().await;
        join_all((0..BURST).map(|_| app.get("/v1/payments?limit=1"))).await;
        (answer.status == 429).then_some(answer)
    })
    .await
}

/// Takes all tokens.
async fn exhaust(app: &TestApp) {
    refused(app, async || app.get("/v1/payments?limit=1").await).await;
}

pub async fn a_client_over_its_limit_is_told_when_to_come_again(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &LIMITED).await;
    let refused = refused(&app, async || app.get("/v1/payments").await).await;
    refused.is_problem(429, "rate_limited");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(refused.header("RateLimit"), Some(r#""default";r=0;t=1"#));
    assert_eq!(refused.header("RateLimit-Policy"), Some(r#""default";q=20;w=20"#));
    eventually("a token comes back", async || {
        (app.get("/v1/payments").await.status == 200).then_some(())
    })
    .await;
}

pub async fn a_refused_request_uses_up_no_key(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &LIMITED).await;
    exhaust(&app).await;
    let mut refusals = 0;
    let paid = eventually("it is paid", async || {
        let answer = app.pay("k", BODY).await;
        if answer.status == 429 {
            answer.is_refused(429, "rate_limited");
            refusals += 1;
        }
        (answer.status != 429).then_some(answer)
    })
    .await;
    paid.is_first();
    assert!(refusals > 0, "it was to be refused at first");
    assert_eq!(app.charges(), 1);
}

pub async fn every_counted_answer_tells_what_is_left(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &LIMITED).await;
    let remaining = |answer: &Answer| -> u32 {
        let policy = answer.header("RateLimit-Policy");
        assert_eq!(policy, Some(r#""default";q=20;w=20"#), "{answer:?}");
        let field = answer.header("RateLimit").expect("what is left");
        let left = field.strip_prefix(r#""default";r="#).and_then(|it| it.split_once(";t="));
        let (left, seconds) = left.unwrap_or_else(|| panic!("{field}"));
        let left: u32 = left.parse().expect("a number");
        let seconds: u32 = seconds.parse().expect("a number");
        assert!(left < BURST && seconds >= 1, "{field}");
        left
    };
    let first = app.pay("k", BODY).await;
    first.is_first();
    let replay = app.pay("k", BODY).await;
    replay.is_repeat();
    // Nothing of it is stored with the answer: what is replayed later counts for itself.
    let later = eventually("a replay tells less than the first answer", async || {
        let later = app.pay("k", BODY).await;
        (remaining(&later) < remaining(&first).min(remaining(&replay))).then_some(later)
    })
    .await;
    later.is_repeat();
    assert_eq!(later.text(), first.text());
    for (answer, status) in [
        (app.pay("k2", "{").await, 400),
        (app.get("/nowhere").await, 404),
        (Answer::to(app.request(Method::PUT, "/v1/payments")).await, 405),
    ] {
        remaining(answer.is(status));
    }
}

pub async fn probes_and_other_services_are_not_counted(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &LIMITED).await;
    exhaust(&app).await;
    let charge = "/fake-gateway/charges/01890000-0000-7000-8000-000000000000";
    for _ in 0..2 * BURST {
        for path in ["/healthz", "/readyz", "/readyz/", charge] {
            let answer = app.get(path).await;
            assert_ne!(answer.status, 429, "{answer:?}");
            assert_eq!(answer.header("RateLimit"), None, "{answer:?}");
        }
    }
}

pub async fn each_address_has_a_limit_of_its_own(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &LIMITED).await;
    exhaust(&app).await;
    let from = "127.0.0.2".parse().expect("an address");
    let other = Client::builder().no_proxy().local_address(Some(from)).build().expect("a client");
    let list = format!("http://{}/v1/payments", app.address);
    Answer::to(other.get(&list)).await.is(200);

    // Who says to speak for somebody else is taken for what it is.
    let forged = async || {
        let forged = ["X-Forwarded-For", "Forwarded", "X-Real-IP"].into_iter();
        let request = app.request(Method::GET, "/v1/payments");
        let request = forged.fold(request, |it, name| it.header(name, "for=192.0.2.1"));
        Answer::to(request).await
    };
    refused(&app, forged).await.is_problem(429, "rate_limited");
}

pub async fn nobody_is_refused_where_no_limit_is_set(database: Arc<Database>) {
    let unlimited = [LIMITED.as_slice(), &[("PAYONCE__RATE_LIMIT__ENABLED", "false")]].concat();
    let app = TestApp::spawn(&database, &unlimited).await;
    for answer in join_all((0..3 * BURST).map(|_| app.get("/v1/payments"))).await {
        assert_eq!(answer.is(200).header("RateLimit"), None);
    }
}

pub async fn a_refusal_comes_before_everything_that_it_would_cost(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &LIMITED).await;
    let wrong_type = || app.request(Method::POST, "/v1/payments").body("x");
    let too_large = || app.payment("k", "x".repeat(100_000));
    let nobodys_key = || app.post("/v1/payments").body(BODY);
    refused(&app, async || Answer::to(wrong_type()).await).await;
    refused(&app, async || Answer::to(nobodys_key()).await).await;
    refused(&app, async || Answer::to(too_large()).await).await;
}

/// Sends a request on connections of their own until one is refused.
async fn refused_on(app: &TestApp, request: &[u8]) -> Wire {
    eventually("the limit is reached", async || {
        let mut wire = app.connect().await;
        let answer = wire.send(request).await.answer().await;
        (answer.status == 429).then_some(wire)
    })
    .await
}

pub async fn a_refused_connection_lasts_unless_its_body_never_ends(database: Arc<Database>) {
    let impatient = ("PAYONCE__SERVER__BODY_TIMEOUT", "300ms");
    let app = TestApp::spawn(&database, &[LIMITED.as_slice(), &[impatient]].concat()).await;
    exhaust(&app).await;
    let whole = wire::payment(&["Idempotency-Key: k"], BODY);
    let mut lasting = refused_on(&app, &whole).await;
    for _ in 0..3 {
        lasting.send(&whole).await.answer().await;
    }
    let headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
    let endless = wire::request("POST /v1/payments", &headers, "1\r\n{\r\n");
    let length = ["Content-Type: application/json", "Content-Length: 60000"];
    let half = wire::request("POST /v1/payments", &length, "{");
    let unexpected = wire::request("GET /v1/payments", &headers, "1\r\n{\r\n");
    for request in [endless, half, unexpected] {
        exhaust(&app).await;
        refused_on(&app, &request).await.is_ended().await;
    }
}

/// Asks so many times at each instance, all at once; says how many were let in.
async fn crowd(instances: &[TestApp], each: u32) -> u32 {
    let asking = instances.iter().flat_map(|app| (0..each).map(|_| app.get("/v1/payments")));
    let answers = join_all(asking).await;
    let allowed = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!(allowed + refused, answers.len());
    u32::try_from(allowed).expect("not that many")
}

pub async fn instances_share_a_limit_through_redis(database: Arc<Database>) {
    let corner = RedisCorner::new();
    let shared = [
        ("REDIS_URL", corner.url.as_str()),
        ("PAYONCE__REDIS__PREFIX", corner.prefix.as_str()),
        // Nobody goes on without Redis because the machine is busy.
        ("PAYONCE__REDIS__TIMEOUT", "20s"),
    ];
    let variables = [LIMITED.as_slice(), &shared].concat();
    let mut instances = Vec::new();
    for _ in 0..2 {
        let app = TestApp::spawn(&database, &variables).await;
        eventually("Redis answers", async || {
            (app.get("/readyz").await.json()["redis"] == "available").then_some(())
        })
        .await;
        instances.push(app);
    }
    let began = Instant::now();
    let allowed = crowd(&instances, BURST).await;
    let returned = u32::try_from(began.elapsed().as_secs()).expect("not that long") + 1;
    assert!((BURST..=BURST + returned).contains(&allowed), "{allowed}");
    assert!(!corner.contents().keys().is_empty());
}

pub async fn instances_without_redis_count_for_themselves(database: Arc<Database>) {
    let mut instances = Vec::new();
    for _ in 0..2 {
        instances.push(TestApp::spawn(&database, &LIMITED).await);
    }
    assert_eq!(crowd(&instances, BURST).await, 2 * BURST);
    let began = Instant::now();
    let allowed = crowd(&instances, BURST).await;
    assert!(allowed < 2 * BURST || began.elapsed() > Duration::from_secs(10), "{allowed}");
}
