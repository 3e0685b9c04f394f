//! The only file that names adapters: from settings to a working service.

use std::sync::Arc;

use payonce_adapters::gateway::{
    BreakerGateway, BreakerSettings, HttpGateway, HttpGatewaySettings, Ledger, MeasuredGateway,
    SimulatedGateway, SimulationSettings,
};
use payonce_adapters::local_rate_limiter::LocalRateLimiter;
use payonce_adapters::measurements::Measurements;
use payonce_adapters::postgres::PostgresStore;
use payonce_adapters::processing::ImmediateProcessor;
use payonce_adapters::redis::{AnswersInRedis, RedisLink, RedisOptions, RedisRateLimiter};
use payonce_adapters::remembered_api_keys::RememberedApiKeys;
use payonce_adapters::replay_cache::ReplayTiers;
use payonce_adapters::sqlite::SqliteStore;
use payonce_adapters::system::{BootClock, ThreadRandom};
use payonce_adapters::{LaneOptions, MeasuredRepository, StoreOptions};
use payonce_domain::account::Mode;
use payonce_domain::gateway::GatewayKeySecret;
use payonce_domain::ports::{
    ApiKeyRepository, BacklogQueries, BoxedError, ChargeLedger, Durability, IdempotencyRepository,
    OpaqueRepository, PaymentGateway, PaymentQueries, PaymentRepository, PinnedSettings,
    RateLimiter, ReplayCache, SettlementNews, TransactionRepository,
};
use payonce_domain::use_cases::fake_gateway::FakeGateway;
use payonce_domain::use_cases::{
    AuthenticateKey, CreateKey, CreatePayment, CreateTerms, IngestTransaction, PayPayment,
    PayTerms, ProcessTransactions, ProcessingTerms, RecoverPayments, RecoveryTerms, Replays,
    ResolvePayment, StoreOpaqueOperation, Waiters,
};
use secrecy::ExposeSecret;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

pub use payonce_adapters::gateway::CircuitState;
pub use payonce_adapters::replay_cache::AnswersInMemory;
pub use payonce_adapters::tls::choose_cryptography;
pub use payonce_adapters::{PoolUse, Pooled, Upkeep};

use crate::api::Api;
use crate::http::{
    Authentication, BodyLimits, JsonAnswers, RequestMetrics, WebhookSignatures, Webhooks,
};
use crate::settings::{
    AuthMode, DatabaseSettings, DatabaseUrl, GatewayKind, GatewaySettings, RateLimitSettings,
    RedisSettings, ReplayCacheSettings, Settings, WebhookSecret, WebhooksSettings,
};
use crate::telemetry::{LiveGauges, Metrics, TransactionMetrics};

/// One store, as each of the ports that it fills.
#[derive(Clone)]
pub struct Store {
    /// The protocol.
    pub repository: Arc<dyn PaymentRepository>,
    /// Payments as clients read them.
    pub queries: Arc<dyn PaymentQueries>,
    /// Keys.
    pub keys: Arc<dyn IdempotencyRepository>,
    /// Keys of what moves no money.
    pub opaque: Arc<dyn OpaqueRepository>,
    /// The books of the gateway that this service plays for others.
    pub charges: Arc<dyn ChargeLedger>,
    /// Announced transactions and their queue.
    pub transactions: Arc<dyn TransactionRepository>,
    /// The keys of accounts.
    pub api_keys: Arc<dyn ApiKeyRepository>,
    /// Whether its commits last.
    pub durability: Arc<dyn Durability>,
    /// Settings that must never change under it.
    pub pins: Arc<dyn PinnedSettings>,
    /// News from other instances.
    pub news: Arc<dyn SettlementNews>,
    /// What is unsettled, in numbers.
    pub backlog: Arc<dyn BacklogQueries>,
    /// How much of its connections is used.
    pub pools: Arc<dyn Pooled>,
    /// Its schema, surroundings and end.
    pub upkeep: Arc<dyn Upkeep>,
}

impl Store {
    /// Prepares the store that the settings name; connects only when it is used.
    pub fn new(settings: &DatabaseSettings) -> Result<Self, BoxedError> {
        Self::measured(settings, &Measurements::default())
    }

    /// The same, measured.
    fn measured(
        settings: &DatabaseSettings,
        measurements: &Measurements,
    ) -> Result<Self, BoxedError> {
        let options = StoreOptions {
            pool_size: settings.pool_size,
            pool_wait: settings.pool_wait,
            direct_url: settings.direct_url.as_ref().map(|url| url.expose().to_owned()),
            lane: LaneOptions {
                connections: settings.lane.connections,
                batch: settings.lane.batch,
                queue: settings.lane.queue,
            },
        };
        let url = settings.url.expose();
        Ok(match settings.url {
            DatabaseUrl::Postgres(_) => Self::of(PostgresStore::new(url, options, measurements)?),
            DatabaseUrl::Sqlite(_) => Self::of(SqliteStore::new(url, options, measurements)?),
        })
    }

    fn of<S>(store: S) -> Self
    where
        S: PaymentRepository
            + PaymentQueries
            + IdempotencyRepository
            + OpaqueRepository
            + ChargeLedger
            + TransactionRepository
            + ApiKeyRepository
            + Durability
            + PinnedSettings
            + SettlementNews
            + BacklogQueries
            + Pooled
            + Upkeep
            + 'static,
    {
        let store = Arc::new(store);
        Self {
            repository: store.clone(),
            queries: store.clone(),
            keys: store.clone(),
            opaque: store.clone(),
            charges: store.clone(),
            transactions: store.clone(),
            api_keys: store.clone(),
            durability: store.clone(),
            pins: store.clone(),
            news: store.clone(),
            backlog: store.clone(),
            pools: store.clone(),
            upkeep: store,
        }
    }
}

/// The service without its listener.
pub struct Service {
    /// What the routes work with.
    pub api: Api,
    /// The store.
    pub store: Store,
    /// The simulated gateway's books.
    pub ledger: Arc<Ledger>,
    /// Goes on with payments that nobody works on.
    pub recovery: Arc<RecoverPayments>,
    /// Processes announced transactions that are due.
    pub processing: Arc<ProcessTransactions>,
    /// Settles payments that need review.
    pub resolve: ResolvePayment,
    /// Duplicates that wait in this process.
    pub waiters: Arc<Waiters>,
    /// What a shutdown waits for.
    pub tasks: TaskTracker,
    /// What is measured of it.
    pub metrics: Arc<Metrics>,
    /// Redis, connected for as long as the service is there.
    _redis: Option<Arc<RedisLink>>,
}

/// A circuit breaker, as it is seen from outside.
pub trait Circuit: Send + Sync {
    /// What it does with the next call.
    fn state(&self) -> CircuitState;
}

impl Circuit for BreakerGateway {
    fn state(&self) -> CircuitState {
        self.state()
    }
}

impl Service {
    /// Builds the service; call it on a runtime that lives as long as it.
    pub fn new(settings: &Settings) -> Result<Self, BoxedError> {
        choose_cryptography();
        let metrics = Arc::new(Metrics::new()?);
        let measurements = Measurements::to(metrics.recorder());
        let store = Store::measured(&settings.database, &measurements)
            .map_err(|error| format!("database.url: {error}"))?;
        let redis = redis(&settings.redis, &measurements)?;
        let memory = answers_in_memory(&settings.replay_cache, &measurements);
        let replays = replays(&settings.replay_cache, &memory, redis.as_ref(), &measurements);
        let ledger = Arc::new(Ledger::default());
        let waiters = Waiters::new(settings.idempotency.waiters);
        let tasks = TaskTracker::new();
        let (gateway, circuit) = gateway(&settings.gateway, &ledger, &measurements)?;
        let kind = gateway.identity().kind;
        let repository =
            MeasuredRepository::new(store.repository.clone(), &kind, measurements.clone());
        let pay = PayPayment {
            repository: Arc::new(repository),
            gateway,
            format: Arc::new(JsonAnswers),
            clock: Arc::new(BootClock),
            random: Arc::new(ThreadRandom),
            waiters: waiters.clone(),
            replays: replays.clone(),
            terms: pay_terms(settings),
        };
        let pay = Arc::new(pay);
        let resolve = ResolvePayment { pay: pay.clone(), queries: store.queries.clone() };
        let bell = Arc::new(Notify::new());
        let recovery = RecoverPayments {
            pay: pay.clone(),
            tasks: tasks.clone(),
            batch: settings.workers.batch,
            bell: bell.clone(),
        };
        let create_payment = CreatePayment {
            pay,
            keys: store.keys.clone(),
            waiters: waiters.clone(),
            tasks: tasks.clone(),
            bell,
            running: Arc::default(),
            terms: CreateTerms {
                key_secret: GatewayKeySecret::new(
                    settings.gateway.key_secret.expose_secret().as_bytes(),
                ),
                after_expiry: settings.idempotency.after_expiry,
            },
        };
        let live_gauges =
            LiveGauges::new(&metrics, waiters.clone(), tasks.clone(), store.pools.clone(), circuit)
                .with_answers(&metrics, memory);
        let processing = Arc::new(processing(settings, &store, &tasks));
        let api = Api {
            account: "default".parse()?,
            authentication: authentication(settings, &store),
            metrics: metrics.clone(),
            live_gauges: Arc::new(live_gauges),
            transaction_metrics: Arc::new(TransactionMetrics::new(&metrics)),
            request_metrics: Arc::new(RequestMetrics::new(metrics.clone(), &kind)),
            create_payment: Arc::new(create_payment),
            store_opaque: Arc::new(StoreOpaqueOperation {
                repository: store.opaque.clone(),
                replays,
                random: Arc::new(ThreadRandom),
                retention: settings.idempotency.retention,
                after_expiry: settings.idempotency.after_expiry,
            }),
            payments: store.queries.clone(),
            keys: store.keys.clone(),
            fake_gateway: fake_gateway(settings, &store),
            ingest_transaction: Arc::new(ingest_transaction(settings, &processing)),
            transactions: store.transactions.clone(),
            webhooks: webhooks(&settings.webhooks),
            rate_limiter: rate_limiter(&settings.rate_limit, redis.as_ref()),
            redis_is_up: redis.as_ref().map(|redis| redis.is_up()),
            body_limits: BodyLimits {
                bytes: usize::try_from(settings.server.body_limit.as_u64()).unwrap_or(usize::MAX),
                time: settings.server.body_timeout,
            },
            default_currency: settings.payments.default_currency,
            wait: settings.idempotency.wait,
            wait_max: settings.idempotency.wait_max,
        };
        Ok(Self {
            api,
            store,
            ledger,
            recovery: Arc::new(recovery),
            processing,
            resolve,
            waiters,
            tasks,
            metrics,
            _redis: redis,
        })
    }
}

/// Makes keys in that store.
pub fn create_key(store: &Store) -> CreateKey {
    CreateKey { keys: store.api_keys.clone(), random: Arc::new(ThreadRandom) }
}

fn authentication(settings: &Settings, store: &Store) -> Option<Arc<Authentication>> {
    let keys = Arc::new(RememberedApiKeys::new(store.api_keys.clone()));
    (settings.auth.mode == AuthMode::ApiKey).then(|| {
        Arc::new(Authentication {
            keys: AuthenticateKey { keys },
            serves: settings.gateway.serves(settings.profile),
            metrics_token: settings.auth.metrics_token.clone(),
        })
    })
}

fn processing(settings: &Settings, store: &Store, tasks: &TaskTracker) -> ProcessTransactions {
    ProcessTransactions {
        repository: store.transactions.clone(),
        processor: Arc::new(ImmediateProcessor),
        clock: Arc::new(BootClock),
        tasks: tasks.clone(),
        bell: Arc::default(),
        terms: ProcessingTerms {
            attempts: settings.transactions.attempts,
            timeout: settings.idempotency.lease / 2,
            lease: settings.idempotency.lease,
            first_delay: settings.workers.recovery_interval,
            longest_delay: LONGEST_RECOVERY_DELAY,
            at_a_time: settings.workers.batch,
        },
    }
}

fn ingest_transaction(settings: &Settings, processing: &ProcessTransactions) -> IngestTransaction {
    let delay = settings.transactions.processing_delay;
    let is_short = delay < settings.workers.recovery_interval;
    let bell = is_short.then(|| processing.bell.clone());
    IngestTransaction { repository: processing.repository.clone(), delay, bell }
}

fn webhooks(settings: &WebhooksSettings) -> Webhooks {
    let secrets = settings.secrets.iter().map(WebhookSecret::bytes).collect();
    Webhooks { account: settings.account.clone(), signatures: WebhookSignatures::new(secrets) }
}

fn redis(
    settings: &RedisSettings,
    measurements: &Measurements,
) -> Result<Option<Arc<RedisLink>>, BoxedError> {
    let Some(url) = &settings.url else {
        return Ok(None);
    };
    let options = RedisOptions {
        url: url.expose().clone(),
        timeout: settings.timeout,
        prefix: settings.prefix.clone(),
        measurements: measurements.clone(),
    };
    let link = RedisLink::open(&options, &Handle::current());
    Ok(Some(Arc::new(link.map_err(|error| format!("redis.url: {error}"))?)))
}

fn answers_in_memory(
    settings: &ReplayCacheSettings,
    measurements: &Measurements,
) -> Option<Arc<AnswersInMemory>> {
    let bytes = settings.memory.as_u64();
    (bytes > 0).then(|| Arc::new(AnswersInMemory::new(bytes, Arc::new(BootClock), measurements)))
}

fn replays(
    settings: &ReplayCacheSettings,
    memory: &Option<Arc<AnswersInMemory>>,
    redis: Option<&Arc<RedisLink>>,
    measurements: &Measurements,
) -> Arc<Replays> {
    let redis = redis
        .filter(|_there| settings.redis)
        .map(|link| AnswersInRedis::new(Arc::clone(link), Handle::current(), measurements));
    let is_on = memory.is_some() || redis.is_some();
    let tiers = ReplayTiers::new(memory.clone(), redis, measurements);
    let cache = is_on.then(|| Arc::new(tiers) as Arc<dyn ReplayCache>);
    Arc::new(Replays { cache, clock: Arc::new(BootClock) })
}

fn rate_limiter(
    settings: &RateLimitSettings,
    redis: Option<&Arc<RedisLink>>,
) -> Option<Arc<dyn RateLimiter>> {
    let quota = settings.quota()?;
    Some(match redis {
        Some(redis) => Arc::new(RedisRateLimiter::new(Arc::clone(redis), quota)),
        None => Arc::new(LocalRateLimiter::new(quota)),
    })
}

/// Opens after about as many failures as two payments make, and tries again soon.
const BREAKER: BreakerSettings = BreakerSettings { failures: 8, pause: Duration::from_secs(5) };

type GatewayAndCircuit = (Arc<dyn PaymentGateway>, Option<Arc<dyn Circuit>>);

fn gateway(
    settings: &GatewaySettings,
    ledger: &Arc<Ledger>,
    measurements: &Measurements,
) -> Result<GatewayAndCircuit, BoxedError> {
    let measured = |gateway| Arc::new(MeasuredGateway::new(gateway, measurements.clone()));
    Ok(match settings.kind {
        GatewayKind::Simulated => (measured(simulated_gateway(settings, ledger)), None),
        GatewayKind::Http => {
            let http = &settings.http;
            let base_url = http.base_url.as_ref().ok_or("gateway.http.base_url must be set")?;
            let gateway = HttpGateway::new(&HttpGatewaySettings {
                base_url: base_url.as_url().clone(),
                token: http.token.clone(),
                account: http.account.clone(),
                connect_timeout: http.connect_timeout,
                environment_proxy: http.environment_proxy,
            })
            .map_err(|error| format!("gateway.http: {error}"))?;
            // What the breaker holds back is no call.
            let breaker = Arc::new(BreakerGateway::new(measured(Arc::new(gateway)), BREAKER));
            (breaker.clone(), Some(breaker))
        }
    })
}

fn simulated_gateway(settings: &GatewaySettings, ledger: &Arc<Ledger>) -> Arc<dyn PaymentGateway> {
    let simulation = SimulationSettings {
        failure_rate: settings.simulated.failure_rate,
        decline_rate: settings.simulated.decline_rate,
        latency: settings.simulated.latency(),
        mode: settings.simulated.mode,
        seed: settings.simulated.seed,
    };
    Arc::new(SimulatedGateway::new(simulation, ledger.clone()))
}

fn fake_gateway(settings: &Settings, store: &Store) -> Option<Arc<FakeGateway>> {
    let settings = &settings.fake_gateway;
    settings.enabled.then(|| {
        let ledger = store.charges.clone();
        Arc::new(FakeGateway::new(ledger, Arc::new(ThreadRandom), settings.terms()))
    })
}

/// A payment whose outcome stays unknown is looked at this often in the end.
const LONGEST_RECOVERY_DELAY: Duration = Duration::from_secs(300);

fn pay_terms(settings: &Settings) -> PayTerms {
    PayTerms {
        retry: settings.gateway.retry_policy(),
        lease: settings.idempotency.lease,
        retention: settings.idempotency.retention,
        dedupe_window: settings.gateway.dedupe_window,
        open_for: settings.pay.open_for,
        sends_tests: settings.gateway.serves(settings.profile).contains(&Mode::Test),
        recovery: RecoveryTerms {
            first_delay: settings.workers.recovery_interval,
            longest_delay: LONGEST_RECOVERY_DELAY,
            review_after: settings.workers.review_after,
        },
    }
}
