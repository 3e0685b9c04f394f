//! The connection to Redis: one for the process, watched, and given up at the first failure.
//!
//! A task of its own makes it and looks after it, so that no request ever waits for a connection
//! or tries a server that is away: between a failure and the next good look, everybody is told at
//! once that Redis is not there.

use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use metrics::{counter, describe_counter, describe_gauge, gauge};
use payonce_domain::ports::{BoxedError, Clock};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::measurements::Measurements;
use crate::system::BootClock;

const UP: &str = "payonce_redis_up";
const ERRORS: &str = "payonce_redis_errors_total";
const FALLBACKS: &str = "payonce_redis_fallbacks_total";

/// How long making a connection may take; nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at a connection, which also find what dies while nobody asks.
const LOOK: Duration = Duration::from_secs(1);
/// Before Redis is tried again: this, then twice as long each time, up to the longest pause.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A connection that lasted so long was good: the pauses begin anew.
const GOOD: Duration = Duration::from_secs(10);
/// Questions that are queued for the socket before askers wait for room.
const QUEUE: usize = 1024;

/// Where Redis is and what it is asked for.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://…` or `unix://…`, with its password.
    pub url: SecretString,
    /// The longest time for an answer.
    pub timeout: Duration,
    /// What every key begins with.
    pub prefix: String,
    /// Where errors are counted.
    pub measurements: Measurements,
}

/// The connection; drop it to close it.
pub struct RedisLink {
    shared: Arc<Shared>,
    prefix: String,
    _keeper: JoinSet<()>,
}

struct Shared {
    client: Client,
    timeout: Duration,
    live: watch::Sender<Option<Live>>,
    is_up: watch::Sender<bool>,
    clock: Mutex<Option<ClockReading>>,
    measurements: Measurements,
}

/// A connection that answered, and which one it is.
#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    number: u64,
}

/// What Redis's clock read between two readings of this process's.
#[derive(Clone, Copy)]
struct ClockReading {
    asked_at: Duration,
    redis: Duration,
    told_at: Duration,
}

/// Why a question has no answer.
enum Failure {
    Late,
    Error(RedisError),
}

impl RedisLink {
    /// Begins to connect, on the given runtime, and does not wait for it. Fails on a URL that
    /// Redis has no use for.
    pub fn open(options: &RedisOptions, runtime: &Handle) -> Result<Self, BoxedError> {
        let shared = Arc::new(Shared {
            client: Client::open(options.url.expose_secret())?,
            timeout: options.timeout,
            live: watch::Sender::new(None),
            is_up: watch::Sender::new(false),
            clock: Mutex::default(),
            measurements: options.measurements.clone(),
        });
        shared.describe();
        let mut keeper = JoinSet::new();
        keeper.spawn_on(keep(Arc::clone(&shared)), runtime);
        Ok(Self { shared, prefix: options.prefix.clone(), _keeper: keeper })
    }

    /// Whether Redis answers, now and later.
    pub fn is_up(&self) -> watch::Receiver<bool> {
        self.shared.is_up.subscribe()
    }

    /// The key of a thing of that kind.
    pub fn key(&self, kind: &str, name: impl Display) -> String {
        format!("{}:{kind}:{name}", self.prefix)
    }

    /// What Redis's own clock reads, in milliseconds, when [`BootClock`] reads so much, or a little
    /// before; `None` while Redis is away, and for what is over.
    pub fn time_at(&self, at: Duration) -> Option<u64> {
        let reading = (*self.shared.clock())?;
        let ahead = at.checked_sub(reading.told_at)?;
        u64::try_from(reading.redis.saturating_add(ahead).as_millis()).ok()
    }

    /// What [`BootClock`] reads when Redis's own clock reads so many milliseconds, or a little before;
    /// `None` while Redis is away, and for what is over.
    pub fn moment_of(&self, millis: u64) -> Option<Duration> {
        let reading = (*self.shared.clock())?;
        let ahead = Duration::from_millis(millis).checked_sub(reading.redis)?;
        Some(reading.asked_at.saturating_add(ahead))
    }

    /// Counts what was done without Redis.
    pub fn fell_back(&self, of: &'static str) {
        self.shared.fell_back(of);
    }

    /// Whether there is a connection to ask.
    pub fn is_live(&self) -> bool {
        self.shared.live.borrow().is_some()
    }

    /// Asks Redis. `None` when it is away, late or answers nonsense: the caller does without it.
    pub async fn ask<T, C, F>(&self, question: C) -> Option<T>
    where
        C: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        self.ask_since(Instant::now(), question).await
    }

    /// Asks for somebody who has waited since then.
    pub async fn ask_since<T, C, F>(&self, since: Instant, question: C) -> Option<T>
    where
        C: FnOnce(MultiplexedConnection) -> F,
        F: Future<Output = RedisResult<T>>,
    {
        let live = self.shared.live.borrow().clone()?;
        let number = live.number;
        match self.shared.in_time(since, question(live.connection)).await {
            Ok(answer) => Some(answer),
            Err(failure) => {
                self.shared.measurements.record(|| {
                    counter!(ERRORS, "kind" => failure.kind()).increment(1);
                });
                match failure.ends_connection() {
                    true => self.shared.lose(number, &failure),
                    false => tracing::debug!(cause = failure.cause(), "Redis refused a question"),
                }
                None
            }
        }
    }
}

impl Shared {
    fn describe(&self) {
        self.measurements.record(|| {
            describe_gauge!(UP, "Whether Redis answers.");
            describe_counter!(ERRORS, "Questions that Redis did not answer, by why.");
            describe_counter!(FALLBACKS, "What was done without Redis, by what it was.");
            gauge!(UP).set(0.0);
        });
    }

    fn fell_back(&self, of: &'static str) {
        self.measurements.record(|| counter!(FALLBACKS, "of" => of).increment(1));
    }

    async fn in_time<T>(
        &self,
        since: Instant,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Failure> {
        match timeout_at(since + self.timeout, answer).await {
            Ok(answer) => answer.map_err(Failure::Error),
            Err(_late) => Err(Failure::Late),
        }
    }

    /// Gives a connection up, unless another has taken its place.
    fn lose(&self, number: u64, failure: &Failure) {
        let is_lost = self.live.send_if_modified(|live| {
            let is_this = live.as_ref().is_some_and(|live| live.number == number);
            if is_this {
                *live = None;
                *self.clock() = None;
                self.report(false);
            }
            is_this
        });
        if is_lost {
            tracing::warn!(cause = failure.cause(), "Redis is away; going on without it");
        }
    }

    /// To be called where `live` cannot change meanwhile, so that the two agree.
    fn report(&self, is_up: bool) {
        self.is_up.send_replace(is_up);
        self.measurements.record(|| gauge!(UP).set(if is_up { 1.0 } else { 0.0 }));
    }

    /// A new connection that has answered in the time that answers may take.
    async fn connect(&self) -> Result<MultiplexedConnection, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            // Each question has its own time, whatever it is made of.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let connection = match timeout(PATIENCE, connecting).await {
            Ok(connection) => connection.map_err(Failure::Error)?,
            Err(_late) => return Err(Failure::Late),
        };
        self.look(connection.clone()).await?;
        Ok(connection)
    }

    /// Looks whether it answers, and what time it has.
    async fn look(&self, mut connection: MultiplexedConnection) -> Result<(), Failure> {
        let asked_at = BootClock.elapsed();
        let time = async { redis::cmd("TIME").query_async(&mut connection).await };
        let (seconds, micros): (u64, u64) = self.in_time(Instant::now(), time).await?;
        let redis = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
        *self.clock() = Some(ClockReading { asked_at, redis, told_at: BootClock.elapsed() });
        Ok(())
    }

    fn clock(&self) -> MutexGuard<'_, Option<ClockReading>> {
        // No code panics while it holds the lock, so what is read is whole.
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects, watches over the connection until it is lost, and begins again.
async fn keep(shared: Arc<Shared>) {
    let mut numbers = 1..;
    let mut pauses = pauses();
    shared.report(false);
    loop {
        let connection = connect_in_the_end(&shared, &mut pauses).await;
        let began = Instant::now();
        let number = numbers.next().unwrap_or_default();
        shared.live.send_modify(|live| {
            *live = Some(Live { connection: connection.clone(), number });
            shared.report(true);
        });
        tracing::info!("Redis answers");
        let mut lost = shared.live.subscribe();
        loop {
            let look = async {
                sleep(LOOK).await;
                shared.look(connection.clone()).await
            };
            tokio::select! {
                // It cannot fail: this task holds the sender.
                _ = lost.wait_for(Option::is_none) => break,
                looked = look => if let Err(failure) = looked {
                    shared.lose(number, &failure);
                },
            }
        }
        if began.elapsed() >= GOOD {
            pauses = self::pauses();
        }
        // Who answers looks, but not questions, is not to hold up everybody all the time.
        sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

/// Without end.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}

async fn connect_in_the_end(
    shared: &Shared,
    pauses: &mut ExponentialBackoff,
) -> MultiplexedConnection {
    let mut is_first = true;
    loop {
        match shared.connect().await {
            Ok(connection) => return connection,
            Err(failure) if is_first => {
                tracing::warn!(cause = failure.cause(), "Redis cannot be reached");
            }
            Err(_again) => {}
        }
        is_first = false;
        shared.report(false);
        sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

impl Failure {
    /// A server that says no is there; everything else may leave the connection in any state.
    fn ends_connection(&self) -> bool {
        match self {
            Self::Late => true,
            Self::Error(error) => error.is_io_error() || error.is_unrecoverable_error(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Late => "timeout",
            Self::Error(error) if error.is_io_error() => "connection",
            Self::Error(_) => "answer",
        }
    }

    fn cause(&self) -> String {
        match self {
            Self::Late => "no answer in time".to_owned(),
            Self::Error(error) => error.to_string(),
        }
    }
}
