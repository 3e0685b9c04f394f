//! What becomes of the service when its Redis is stopped, paused, slow, flushed or full of garbage
//! amid traffic: nothing, but that limits are counted for each instance meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use payonce_testing::{Garbage, RedisServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::app::{BODY, Database, TestApp, eventually};

/// A limit that nobody reaches, and whose buckets take their time to be full again; so long a
/// timeout that it shows when anybody waits for Redis; and nothing kept in memory, so that Redis is
/// asked for every repeat.
const SETTINGS: [(&str, &str); 4] = [
    ("PAYONCE__REPLAY_CACHE__MEMORY", "0B"),
    ("PAYONCE__RATE_LIMIT__PER_SECOND", "10"),
    ("PAYONCE__RATE_LIMIT__BURST", "1000000"),
    ("PAYONCE__REDIS__TIMEOUT", "1s"),
];

/// So long that whoever waits again and again is not done in time.
const LONG: (&str, &str) = ("PAYONCE__REDIS__TIMEOUT", "3s");

/// A service amid traffic.
struct Scene {
    app: TestApp,
    is_over: Arc<AtomicBool>,
    traffic: Vec<JoinHandle<usize>>,
}

impl Scene {
    async fn set(database: &Database, redis: &str) -> Self {
        Self::set_with(database, redis, &[]).await
    }

    async fn set_with(database: &Database, redis: &str, more: &[(&str, &str)]) -> Self {
        let variables = [SETTINGS.as_slice(), &[("REDIS_URL", redis)], more].concat();
        let app = TestApp::spawn(database, &variables).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let traffic = (0..4).map(|client| {
            let (app, is_over) = (app.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut payments = 0;
                while !is_over.load(Ordering::Relaxed) || payments == 0 {
                    pays_once(&app, &format!("traffic-{client}-{payments}")).await;
                    payments += 1;
                }
                payments
            })
        });
        let traffic = traffic.collect();
        Self { app, is_over, traffic }
    }

    async fn until_redis_is(&self, state: &str) {
        eventually(&format!("Redis is {state}"), async || {
            let ready = self.app.get("/readyz").await;
            let ready = ready.is(200).json();
            assert_eq!(ready["status"], "ready");
            (ready["redis"] == state).then_some(())
        })
        .await;
    }

    /// Many requests, one after the other, in less time than they would take if many waited for
    /// Redis.
    async fn nobody_waits(&self, stage: &str) {
        let payments = async {
            for number in 0..30 {
                pays_once(&self.app, &format!("{stage}-{number}")).await;
            }
        };
        timeout(Duration::from_secs(30), payments).await.expect("nobody waits for Redis");
    }

    /// Ends the traffic, which has seen every answer right.
    async fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let payments = join_all(self.traffic).await;
        let payments: usize = payments.into_iter().map(|it| it.expect("every answer right")).sum();
        assert!(self.app.charges() >= payments && payments > 0);
    }
}

/// Pays and repeats it.
async fn pays_once(app: &TestApp, key: &str) {
    let paid = app.pay(key, BODY).await;
    paid.is_first();
    let repeated = app.pay(key, BODY).await;
    assert_eq!(repeated.is_repeat().text(), paid.text());
}

/// Whether the service keeps its buckets there.
async fn until_used(server: &RedisServer) {
    eventually("Redis is used", async || {
        let times = server.contents("payonce:rate").times_to_live();
        // Garbage is kept for good.
        (!times.is_empty() && times.iter().all(|time| *time > 0)).then_some(())
    })
    .await;
}

pub async fn a_redis_that_is_stopped_changes_no_answer(database: Arc<Database>) {
    let mut server = RedisServer::start();
    let scene = Scene::set(&database, &server.url()).await;
    scene.until_redis_is("available").await;
    until_used(&server).await;
    server.stop();
    scene.until_redis_is("unavailable").await;
    scene.nobody_waits("stopped").await;
    server.start_again();
    scene.until_redis_is("available").await;
    until_used(&server).await;
    scene.nobody_waits("back").await;
    scene.end().await;
}

pub async fn a_redis_that_is_paused_changes_no_answer(database: Arc<Database>) {
    let server = RedisServer::start();
    let scene = Scene::set(&database, &server.url()).await;
    scene.until_redis_is("available").await;
    for stage in ["once", "again"] {
        server.pause();
        scene.until_redis_is("unavailable").await;
        scene.nobody_waits(stage).await;
        server.resume();
        scene.until_redis_is("available").await;
        until_used(&server).await;
    }
    scene.nobody_waits("back").await;
    scene.end().await;
}

pub async fn a_redis_that_is_slow_changes_no_answer(database: Arc<Database>) {
    let server = RedisServer::start();
    let relay = Relay::to(&server).await;
    let scene = Scene::set(&database, &format!("redis://{}", relay.address)).await;
    scene.until_redis_is("available").await;
    relay.delay(Duration::from_millis(1_500));
    scene.until_redis_is("unavailable").await;
    scene.nobody_waits("slow").await;
    relay.delay(Duration::ZERO);
    scene.until_redis_is("available").await;
    until_used(&server).await;
    scene.end().await;
}

pub async fn a_redis_that_falls_silent_when_it_is_used_changes_no_answer(database: Arc<Database>) {
    let server = RedisServer::start();
    let relay = Relay::to(&server).await;
    relay.is_deaf.store(true, Ordering::Relaxed);
    let scene = Scene::set_with(&database, &format!("redis://{}", relay.address), &[LONG]).await;
    scene.until_redis_is("unavailable").await;
    scene.until_redis_is("available").await;
    scene.until_redis_is("unavailable").await;
    scene.nobody_waits("deaf").await;
    relay.is_deaf.store(false, Ordering::Relaxed);
    until_used(&server).await;
    scene.end().await;
}

pub async fn a_redis_that_is_flushed_changes_no_answer(database: Arc<Database>) {
    let server = RedisServer::start();
    let scene = Scene::set(&database, &server.url()).await;
    scene.until_redis_is("available").await;
    for stage in ["once", "again"] {
        until_used(&server).await;
        server.contents("payonce").flush_server();
        scene.nobody_waits(stage).await;
    }
    until_used(&server).await;
    scene.end().await;
}

pub async fn a_redis_full_of_garbage_changes_no_answer(database: Arc<Database>) {
    let server = RedisServer::start();
    let scene = Scene::set(&database, &server.url()).await;
    scene.until_redis_is("available").await;
    for garbage in Garbage::ALL {
        until_used(&server).await;
        eventually("answers are kept", async || {
            (!server.contents("payonce:replay").keys().is_empty()).then_some(())
        })
        .await;
        assert_eq!(server.contents("payonce:rate").fill_with(garbage), 1, "{garbage:?}");
        assert!(server.contents("payonce:replay").fill_with(garbage) > 0, "{garbage:?}");
        pays_once(&scene.app, &format!("{garbage:?}")).await;
    }
    until_used(&server).await;
    scene.until_redis_is("available").await;
    scene.end().await;
}

pub async fn a_service_starts_without_its_redis(database: Arc<Database>) {
    let mut server = RedisServer::start();
    server.stop();
    let scene = Scene::set(&database, &server.url()).await;
    scene.until_redis_is("unavailable").await;
    scene.nobody_waits("absent").await;
    server.start_again();
    scene.until_redis_is("available").await;
    until_used(&server).await;
    scene.end().await;
}

pub async fn what_is_no_redis_is_done_without(database: Arc<Database>) {
    let other = TestApp::spawn(&database, &[]).await;
    let scene = Scene::set(&database, &format!("redis://{}", other.address)).await;
    scene.until_redis_is("unavailable").await;
    scene.nobody_waits("no-redis").await;
    scene.until_redis_is("unavailable").await;
    scene.end().await;
}

pub async fn a_limit_holds_while_redis_is_away(database: Arc<Database>) {
    let mut server = RedisServer::start();
    let url = server.url();
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("PAYONCE__RATE_LIMIT__PER_SECOND", "1"),
        ("PAYONCE__RATE_LIMIT__BURST", "20"),
    ];
    let app = TestApp::spawn(&database, &variables).await;
    server.stop();
    eventually("the limit is reached", async || {
        let answers = join_all((0..10).map(|_| app.get("/v1/payments"))).await;
        let refused = answers.into_iter().find(|answer| answer.status != 200)?;
        refused.is_problem(429, "rate_limited");
        Some(())
    })
    .await;
    server.start_again();
    eventually("Redis counts, and its bucket is full", async || {
        let answer = app.get("/v1/payments").await;
        (answer.status == 200 && !server.contents("payonce").keys().is_empty()).then_some(())
    })
    .await;
}

/// Stands between the service and Redis, and makes answers late, or lets a connection fall silent at
/// its first script.
struct Relay {
    address: SocketAddr,
    delay: Arc<AtomicU64>,
    is_deaf: Arc<AtomicBool>,
    _accepting: JoinSet<()>,
}

impl Relay {
    async fn to(server: &RedisServer) -> Self {
        let socket = server.url().trim_start_matches("unix://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (delay, is_deaf) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut accepting = JoinSet::new();
        let (late, deaf) = (Arc::clone(&delay), Arc::clone(&is_deaf));
        accepting.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.expect("Redis is there");
                tokio::spawn(relay(client, server, Arc::clone(&late), Arc::clone(&deaf)));
            }
        });
        Self { address, delay, is_deaf, _accepting: accepting }
    }

    fn delay(&self, delay: Duration) {
        self.delay.store(delay.as_millis().try_into().expect("not that long"), Ordering::Relaxed);
    }
}

async fn relay(
    client: TcpStream,
    server: UnixStream,
    delay: Arc<AtomicU64>,
    is_deaf: Arc<AtomicBool>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async move {
        let mut is_mute = false;
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let read = from_client.read(&mut bytes).await?;
            if read == 0 {
                return Ok(());
            }
            let is_script = bytes[..read].windows(4).any(|word| word == b"EVAL");
            is_mute |= is_script && is_deaf.load(Ordering::Relaxed);
            if !is_mute {
                to_server.write_all(&bytes[..read]).await?;
            }
        }
    };
    let answering = async move {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let read = from_server.read(&mut bytes).await?;
            if read == 0 {
                return Ok(());
            }
            // The delay is the fault, and has its length.
            sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
            to_client.write_all(&bytes[..read]).await?;
        }
    };
    let _ended: Result<_, std::io::Error> = tokio::try_join!(asking, answering);
}
