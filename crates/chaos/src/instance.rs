//! One instance of the service: a process of the release binary at an address that stays, however
//! often it ends; knows not what is asked of it.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;

use crate::Failure;
use crate::servers::free_port;
use crate::servers::postgres::send;

/// How long it may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// The instance.
pub struct Instance {
    /// For the timeline.
    pub name: String,
    /// Where it listens.
    pub base: String,
    /// What it writes.
    pub log: PathBuf,
    binary: PathBuf,
    port: u16,
    variables: Vec<(String, String)>,
    process: Mutex<Option<Child>>,
    client: reqwest::Client,
}

impl Instance {
    /// Prepares it.
    pub fn new(
        number: usize,
        folder: &Path,
        binary: &Path,
        variables: &[(String, String)],
    ) -> Result<Self, Failure> {
        let port = free_port()?;
        Ok(Self {
            name: format!("instance {number}"),
            base: format!("http://127.0.0.1:{port}"),
            log: folder.join(format!("instance-{number}.log")),
            binary: binary.to_owned(),
            port,
            variables: variables.to_vec(),
            process: Mutex::new(None),
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(2))
                .pool_max_idle_per_host(0)
                .build()?,
        })
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it, with further variables.
    pub fn start_with(&self, more: &[(&str, &str)]) -> Result<(), Failure> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new("setpriv");
        for (name, _) in std::env::vars() {
            let is_setting =
                name.starts_with("PAYONCE") || name == "DATABASE_URL" || name == "REDIS_URL";
            if is_setting || name == "PORT" {
                command.env_remove(name);
            }
        }
        // Should not outlive this process even when that is killed.
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.binary).arg("serve");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("PORT", self.port.to_string()).envs(more.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        *self.process() = Some(command.spawn()?);
        Ok(())
    }

    /// Starts it.
    pub fn start(&self) -> Result<(), Failure> {
        self.start_with(&[])
    }

    /// Waits until it is ready; false when it is not in time, or has ended.
    pub async fn is_ready_in_time(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.asked("/readyz").await {
                return true;
            }
            if self.ended().is_some() {
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// Starts it and waits until it is ready.
    pub async fn start_ready(&self) -> Result<(), Failure> {
        self.start()?;
        match self.is_ready_in_time().await {
            true => Ok(()),
            false => Err(format!("{} is not ready: see {}", self.name, self.log.display()).into()),
        }
    }

    /// Whether a path answers 200.
    pub async fn asked(&self, path: &str) -> bool {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// Everything that it measures.
    pub async fn metrics(&self) -> Result<String, Failure> {
        let answer = self.client.get(format!("{}/metrics", self.base)).send().await?;
        Ok(answer.text().await?)
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.process().as_mut().and_then(|process| process.try_wait().ok().flatten())
    }

    /// What it holds of the machine; nothing when it is not there.
    pub fn holdings(&self) -> Result<Holdings, Failure> {
        let Some(process) = self.process().as_ref().map(Child::id) else {
            return Ok(Holdings::default());
        };
        let links = std::fs::read_dir(format!("/proc/{process}/fd"))?;
        let targets = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
        let is_socket = |target: &PathBuf| target.to_string_lossy().starts_with("socket:");
        Ok(Holdings {
            threads: std::fs::read_dir(format!("/proc/{process}/task"))?.count(),
            sockets: targets.filter(is_socket).count(),
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let process = self.process();
        process.as_ref().map_or(Ok(()), |process| send(process.id(), signal))
    }

    /// Kills it.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Asks it to stop, and waits for that; its exit code, or `None` when it did not end in time.
    pub async fn terminate(&self, patience: Duration) -> Result<Option<i32>, Failure> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Ok(status.code());
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.kill();
        Ok(None)
    }
}

/// What a process holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Holdings {
    threads: usize,
    sockets: usize,
}

impl Holdings {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            threads: self.threads.saturating_add(other.threads),
            sockets: self.sockets.saturating_add(other.sockets),
        }
    }

    /// Whether it is more than what pools that fill and clients that come may add.
    pub fn exceed(&self, before: &Self) -> bool {
        let more = |now: usize, then: usize| now > then.saturating_mul(3).div_ceil(2);
        more(self.threads, before.threads) || more(self.sockets, before.sockets)
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {}", self.threads, self.sockets)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}
