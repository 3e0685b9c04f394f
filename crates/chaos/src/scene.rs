//! The world of one mode: a database, a gateway and instances of the service, all its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::books::Tables;
use crate::disk::SmallDisk;
use crate::instance::Instance;
use crate::options::Mode;
use crate::referee::Referee;
use crate::servers::postgres::Postgres;
use crate::servers::proxy::Proxy;
use crate::servers::redis::Redis;
use crate::timeline::Timeline;

/// In a setting, the folder of the world.
pub const FOLDER: &str = "{folder}";

/// How long an owner may work without a sign of life: short, so that pauses are too.
pub const LEASE: Duration = Duration::from_millis(900);

/// How long a request may take: `server.request_timeout` below.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What every instance is told; the times are in proportion to the lease.
const SETTINGS: [(&str, &str); 21] = [
    ("PAYONCE__SERVER__WORKERS", "2"),
    ("PAYONCE__SERVER__DRAIN_TIMEOUT", "5s"),
    ("PAYONCE__SERVER__REQUEST_TIMEOUT", "5s"),
    ("PAYONCE__SERVER__BODY_TIMEOUT", "2s"),
    ("PAYONCE__DATABASE__POOL_SIZE", "6"),
    ("PAYONCE__DATABASE__POOL_WAIT", "1s"),
    ("PAYONCE__GATEWAY__KIND", "http"),
    ("PAYONCE__GATEWAY__ATTEMPT_TIMEOUT", "200ms"),
    ("PAYONCE__GATEWAY__DEADLINE", "700ms"),
    ("PAYONCE__GATEWAY__HTTP__CONNECT_TIMEOUT", "100ms"),
    ("PAYONCE__GATEWAY__BACKOFF_BASE", "10ms"),
    ("PAYONCE__GATEWAY__BACKOFF_MAX", "50ms"),
    ("PAYONCE__IDEMPOTENCY__LEASE", "900ms"),
    ("PAYONCE__IDEMPOTENCY__WAIT", "1s"),
    ("PAYONCE__WORKERS__RECOVERY_INTERVAL", "50ms"),
    ("PAYONCE__WORKERS__SWEEP_INTERVAL", "300ms"),
    ("PAYONCE__PAY__OPEN_FOR", "2s"),
    ("PAYONCE__TRANSACTIONS__PROCESSING_DELAY", "200ms"),
    ("PAYONCE__RATE_LIMIT__ENABLED", "false"),
    ("PAYONCE__FAKE_GATEWAY__ENABLED", "false"),
    ("PAYONCE__LOG__LEVEL", "info"),
];

/// Secrets that no log may show.
#[derive(Debug, Clone)]
pub struct Canaries {
    /// What every idempotency key begins with.
    pub key_prefix: String,
    /// The token of every payment method.
    pub token: String,
    /// The gateway's token.
    pub gateway_token: String,
    /// What derives the gateway keys.
    pub key_secret: String,
}

impl Canaries {
    fn new(seed: u64) -> Self {
        Self {
            key_prefix: format!("canarykey{seed:016x}"),
            token: format!("tok_canary{seed:016x}"),
            gateway_token: format!("canarygatewaytoken{seed:016x}"),
            key_secret: format!("canarykeysecret{seed:016x}"),
        }
    }

    /// Each with its name.
    pub fn all(&self) -> [(&'static str, &str); 4] {
        [
            ("an idempotency key", &self.key_prefix),
            ("a payment method", &self.token),
            ("the gateway's token", &self.gateway_token),
            ("the key secret", &self.key_secret),
        ]
    }
}

/// The world. Its parts end in this order.
pub struct Scene {
    /// The service.
    pub instances: Vec<Arc<Instance>>,
    /// Between the service and PostgreSQL, where the mode wants it.
    pub proxy: Option<Proxy>,
    /// The gateway.
    pub referee: Arc<Referee>,
    /// Where the tables are.
    pub tables: Tables,
    /// PostgreSQL, where it is one.
    pub postgres: Option<Postgres>,
    /// Redis, where the mode wants it.
    pub redis: Option<Redis>,
    /// The disk that is full, where the mode wants it.
    pub disk: Option<SmallDisk>,
    /// What happens when.
    pub timeline: Arc<Timeline>,
    /// What no log may show.
    pub canaries: Canaries,
    /// Logs and data.
    pub folder: TempDir,
}

/// What a mode's world is made of.
pub struct Plan<'a> {
    /// The mode.
    pub mode: Mode,
    /// Its seed.
    pub seed: u64,
    /// Instances.
    pub instances: usize,
    /// The binary.
    pub binary: &'a Path,
    /// Further settings of every instance.
    pub settings: Vec<(String, String)>,
}

impl Scene {
    /// Builds the world and waits until it is ready.
    pub async fn build(plan: &Plan<'_>) -> Result<Self, Failure> {
        let folder = TempDir::with_prefix("payonce-chaos.")?;
        let timeline = Arc::new(Timeline::new());
        // Most gateways remember longer than a run lasts.
        let window = match plan.mode {
            Mode::Gateway => Duration::from_secs(12),
            _ => Duration::from_secs(24 * 3600),
        };
        let referee = Referee::start(plan.seed, window).await?;
        let disk = match plan.mode {
            Mode::Disk => Some(SmallDisk::mount(folder.path(), "160m")?),
            _ => None,
        };
        let (postgres, tables) = match plan.mode {
            Mode::Sqlite => {
                let path = folder.path().join("payonce.db").display().to_string();
                (None, Tables::Sqlite(path))
            }
            mode => {
                let connections = if mode == Mode::Connections {
                    "max_connections=40"
                } else {
                    "max_connections=150"
                };
                let settings = [
                    connections,
                    "shared_buffers=32MB",
                    "client_connection_check_interval=1s",
                    "max_wal_size=64MB",
                ];
                let server = match &disk {
                    Some(disk) => {
                        let data = disk.path().join("data");
                        Postgres::start_at(folder.path(), &data, &settings).await?
                    }
                    None => Postgres::start(folder.path(), &settings).await?,
                };
                let tables = Tables::Postgres(server.url());
                (Some(server), tables)
            }
        };
        let proxy = match (&postgres, plan.mode) {
            (Some(postgres), Mode::Cut | Mode::Mixed) => Some(Proxy::start(postgres.port()).await?),
            _ => None,
        };
        let redis = match plan.mode {
            Mode::Redis => Some(Redis::start(folder.path()).await?),
            _ => None,
        };
        let canaries = Canaries::new(plan.seed);
        let mut variables: Vec<(String, String)> =
            SETTINGS.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let database = match (&tables, &proxy) {
            (Tables::Sqlite(path), _) => format!("sqlite://{path}"),
            (Tables::Postgres(_), Some(proxy)) => {
                format!("postgres://postgres@127.0.0.1:{}/postgres", proxy.port())
            }
            (Tables::Postgres(url), None) => url.clone(),
        };
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
        set("DATABASE_URL", database);
        set("PAYONCE__GATEWAY__HTTP__BASE_URL", referee.base_url());
        set("PAYONCE__GATEWAY__HTTP__TOKEN", canaries.gateway_token.clone());
        set("PAYONCE__GATEWAY__KEY_SECRET", canaries.key_secret.clone());
        if let Some(redis) = &redis {
            set("REDIS_URL", redis.url());
        }
        let place = folder.path().display().to_string();
        std::fs::write(folder.path().join("clock"), "+0s\n")?;
        let further = plan.settings.iter();
        variables
            .extend(further.map(|(name, value)| (name.clone(), value.replace(FOLDER, &place))));
        let instances: Result<Vec<_>, _> = (1..=plan.instances)
            .map(|number| {
                Instance::new(number, folder.path(), plan.binary, &variables).map(Arc::new)
            })
            .collect();
        let instances = instances?;
        let scene = Self {
            instances,
            proxy,
            referee,
            tables,
            postgres,
            redis,
            disk,
            timeline,
            canaries,
            folder,
        };
        for instance in &scene.instances {
            instance.start_ready().await?;
        }
        Ok(scene)
    }

    /// Restarts every instance.
    pub async fn restart_all(&self) -> Result<(), Failure> {
        let from = self.timeline.now();
        for instance in &self.instances {
            instance.kill();
        }
        for instance in &self.instances {
            instance.start()?;
        }
        for instance in &self.instances {
            if !instance.is_ready_in_time().await {
                let log = instance.log.display();
                return Err(format!("{} does not come back: see {log}", instance.name).into());
            }
        }
        self.timeline.fault("restart", "all instances", from);
        Ok(())
    }

    /// Waits until nothing is unsettled and nothing late is under way; how much is left.
    pub async fn settle(&self, patience: Duration) -> Result<i64, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            let left = self.tables.unsettled().await?;
            if (left == 0 && !self.referee.is_late()) || Instant::now() > deadline {
                return Ok(left);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Secrets in what the instances wrote, each in words.
    pub fn leaks(&self) -> Result<Vec<String>, Failure> {
        let mut leaks = Vec::new();
        for instance in &self.instances {
            let log = std::fs::read_to_string(&instance.log)?;
            for (name, secret) in self.canaries.all() {
                if let Some(line) = log.lines().find(|line| line.contains(secret)) {
                    let line: String = line.chars().take(300).collect();
                    leaks.push(format!("{name} in the log of {}: {line}", instance.name));
                }
            }
        }
        Ok(leaks)
    }

    /// Panics that the instances wrote of.
    pub fn panics(&self) -> Result<Vec<String>, Failure> {
        let mut panics = Vec::new();
        for instance in &self.instances {
            let log = std::fs::read_to_string(&instance.log)?;
            panics
                .extend(log.lines().filter(|line| line.contains("panicked at")).map(str::to_owned));
        }
        Ok(panics)
    }

    /// Keeps its folder, and says where it is.
    pub fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }
}
