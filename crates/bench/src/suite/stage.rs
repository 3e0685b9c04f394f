//! What every cell stands on: the private servers, the tools, and how a service is started there.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep, timeout};

use super::cell::Store;
use super::database::Database;
use super::figures::{Figure, Figures};
use super::machine::kilobytes;
use super::pgbench::Pgbench;
use super::wrk::{Answers, Load, Wrk};
use crate::Failure;
use crate::service::{self, Service};

/// How long what a run left under way may take; a lease, and then some.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// How long the load before a measurement lasts.
const WARM_UP_SECONDS: u32 = 1;

/// Where all services log.
const LOG: &str = "service.log";

/// Private servers and tools; `scripts/bench` starts and finds them.
#[derive(Debug, Args)]
pub struct Surroundings {
    /// A PostgreSQL server with its data on the disk.
    #[arg(long, env = "BENCH_DISK_URL")]
    disk: String,
    /// One with its data in memory.
    #[arg(long, env = "BENCH_TMPFS_URL")]
    tmpfs: String,
    /// A Redis.
    #[arg(long, env = "BENCH_REDIS_URL")]
    pub redis: String,
    /// What the servers were started with, to be told.
    #[arg(long, env = "BENCH_POSTGRES_SETTINGS", default_value = "defaults")]
    pub settings: String,
    /// The wrk program.
    #[arg(long, env = "BENCH_WRK")]
    wrk: PathBuf,
    /// The pgbench program.
    #[arg(long, env = "BENCH_PGBENCH")]
    pgbench: PathBuf,
    /// A folder on the disk that is measured.
    #[arg(long, env = "BENCH_SCRATCH")]
    pub scratch: PathBuf,
}

impl Surroundings {
    /// The server whose data is on the disk.
    pub fn disk(&self) -> &str {
        &self.disk
    }
}

/// The surroundings, ready to be measured in.
pub struct Stage {
    /// Where the servers are.
    pub surroundings: Surroundings,
    /// Makes requests.
    pub wrk: Wrk,
    /// Makes rows.
    pub pgbench: Pgbench,
    /// How long a cell is measured.
    pub seconds: u32,
    log: File,
    settings: String,
    has_used_disk: AtomicBool,
    has_used_tmpfs: AtomicBool,
}

/// What a load did to the service.
pub struct Loaded {
    /// What was answered.
    pub answers: Answers,
    /// The same in figures, and the service's own.
    pub figures: Figures,
}

impl Stage {
    /// Prepares it.
    pub async fn set(surroundings: Surroundings, seconds: u32) -> Result<Self, Failure> {
        let scratch = &surroundings.scratch;
        let log = OpenOptions::new().create(true).append(true).open(scratch.join(LOG))?;
        let wrk = Wrk::new(surroundings.wrk.clone(), scratch)?;
        let pgbench = Pgbench::new(surroundings.pgbench.clone(), scratch)?;
        let settings = service::run(&["config", "show"], &[]).await?;
        let (has_used_disk, has_used_tmpfs) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self {
            surroundings,
            wrk,
            pgbench,
            seconds,
            log,
            settings,
            has_used_disk,
            has_used_tmpfs,
        })
    }

    /// Whether this build has a setting.
    pub fn knows(&self, setting: &str) -> bool {
        has_setting(&self.settings, setting)
    }

    /// The last lines of what the services logged.
    pub fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.surroundings.scratch.join(LOG)).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
    }

    /// An empty database.
    pub fn database(&self, store: Store) -> Result<Database, Failure> {
        match store {
            Store::Disk => self.on_server(&self.surroundings.disk, &self.has_used_disk),
            Store::Tmpfs => self.on_server(&self.surroundings.tmpfs, &self.has_used_tmpfs),
            Store::Sqlite => Database::in_file(&self.surroundings.scratch),
        }
    }

    fn on_server(&self, url: &str, has_used: &AtomicBool) -> Result<Database, Failure> {
        if !has_used.swap(true, Ordering::Relaxed) {
            Database::use_server(url)?;
        }
        Database::on_server(url)
    }

    /// Brings a database to the newest schema.
    pub async fn migrate(&self, database: &Database) -> Result<(), Failure> {
        let url = ("DATABASE_URL", database.url());
        service::run(&["migrate", "up"], &[url]).await.map(drop)
    }

    /// Its defaults, but for what would measure something else.
    fn variables<'a>(
        &self,
        database: &'a Database,
        others: &[(&'a str, &'a str)],
    ) -> Vec<(&'a str, &'a str)> {
        let fixed = [
            ("DATABASE_URL", database.url()),
            ("PAYONCE__LOG__LEVEL", "warn"),
            ("PAYONCE__RATE_LIMIT__ENABLED", "false"),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MIN", "0ms"),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MAX", "0ms"),
        ];
        [fixed.as_slice(), others].concat()
    }

    /// Starts a service.
    pub async fn serve(
        &self,
        database: &Database,
        others: &[(&str, &str)],
    ) -> Result<Service, Failure> {
        let variables = self.variables(database, others);
        Service::start_logged(&variables, self.log.try_clone()?).await
    }

    /// Starts what works without a listener.
    pub fn work(
        &self,
        database: &Database,
        others: &[(&str, &str)],
    ) -> Result<service::Process, Failure> {
        let variables = self.variables(database, others);
        service::Process::start_logged("work", &variables, self.log.try_clone()?)
    }

    /// Starts the handler that does nothing else.
    pub async fn bare(&self) -> Result<Service, Failure> {
        Service::start_bare(self.log.try_clone()?).await
    }

    /// Sends a load, after one that is not measured.
    pub async fn measure(
        &self,
        service: &Service,
        database: Option<&Database>,
        load: &Load<'_>,
    ) -> Result<Loaded, Failure> {
        let name = format!("warm-{}", load.name);
        self.wrk.send(&Load { name: &name, seconds: WARM_UP_SECONDS, ..*load }).await?;
        database.map_or(Ok(()), Database::analyze)?;
        self.measure_warm(service, load).await
    }

    /// Sends a load to a service that is warm.
    pub async fn measure_warm(
        &self,
        service: &Service,
        load: &Load<'_>,
    ) -> Result<Loaded, Failure> {
        let before = service.processor_time()?;
        let (answers, resident) = watched(self.wrk.send(load), service.id()).await;
        let answers = answers?;
        let used = service.processor_time()?.saturating_sub(before);
        let mut figures = answers.figures();
        let requests = answers.requests.max(1) as f64;
        figures.insert(Figure::ServiceUs, used.as_secs_f64() * 1e6 / requests);
        figures.insert(Figure::ResidentMb, resident as f64 * KB_IN_MB);
        figures.insert(Figure::PeakMb, memory(service.id(), "VmHWM") as f64 * KB_IN_MB);
        Ok(Loaded { answers, figures })
    }

    /// Waits until no payment is under way.
    pub async fn settled(&self, database: &Database) -> Result<(), Failure> {
        none_left(
            database,
            "SELECT count(*) AS n FROM idempotency_records WHERE due_at IS NOT NULL",
            SETTLED_WITHIN,
        )
        .await
    }
}

/// Waits until a statement counts nothing any more.
pub async fn none_left(
    database: &Database,
    statement: &str,
    within: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + within;
    loop {
        let left = database.number(statement)?;
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{left} are still under way after {within:?}: {statement}").into());
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// /proc counts kilobytes of 1,024 bytes.
const KB_IN_MB: f64 = 1_024.0 / 1e6;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Does something, and watches the most memory that a process has resident meanwhile.
async fn watched<T>(doing: impl Future<Output = T>, process: u32) -> (T, u64) {
    let mut doing = Box::pin(doing);
    let mut most = 0;
    loop {
        if let Ok(done) = timeout(LOOK_EVERY, &mut doing).await {
            return (done, most.max(memory(process, "VmRSS")));
        }
        most = most.max(memory(process, "VmRSS"));
    }
}

/// A line of a process's status; 0 once it is gone.
fn memory(process: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    kilobytes(&status, line).unwrap_or_default()
}

/// Whether `payonce config show` has a line of that setting.
fn has_setting(shown: &str, setting: &str) -> bool {
    shown.lines().any(|line| {
        line.trim_start().strip_prefix(setting).is_some_and(|rest| rest.starts_with([' ', '=']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_known_by_its_whole_name() {
        let shown = "redis.prefix = payonce  # default\nreplay_cache.memory = 64MiB  # default\n";
        assert!(has_setting(shown, "replay_cache.memory"));
        assert!(!has_setting(shown, "replay_cache.mem"));
        assert!(!has_setting(shown, "replay_cache.redis"));
        assert!(!has_setting(shown, "memory"));
    }

    #[tokio::test]
    async fn a_process_is_watched_for_as_long_as_something_is_done() {
        let (done, resident) = watched(async { "done" }, std::process::id()).await;
        assert_eq!(done, "done");
        assert!(resident > 0);
        assert_eq!(memory(std::process::id(), "VmNothing"), 0);
    }
}
