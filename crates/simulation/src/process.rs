//! One process of the service's binary, on a port that the system chooses; gone when it is dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::sleep;
use url::Url;

use crate::Failure;
use crate::wire::{below, client};

/// How long it may take to be ready, and to stop.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// So much of a log tells why a process ended.
const LAST_LINES: usize = 5;

/// The process.
#[derive(Debug)]
pub struct Process {
    /// Where it listens.
    pub base: Url,
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, which serves, and waits until it is ready.
    pub async fn start(
        name: &'static str,
        mut command: Command,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let doing = format!("starting {name}");
        let log = folder.join(format!("{}.log", name.replace(' ', "-")));
        let file = File::create(&log).map_err(|error| Failure::failed(&doing, error))?;
        command.env("PORT", "0").env("PAYONCE__LOG__FORMAT", "json");
        command.env("PAYONCE__SERVER__HOST", "127.0.0.1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        // A terminal's Ctrl-C is not meant for it: it still answers what is under way.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(|error| Failure::failed(&doing, error))?;
        let nowhere = "http://127.0.0.1".parse();
        let base = nowhere.map_err(|error| Failure::failed(&doing, error))?;
        let mut process = Self { base, name, child, log };
        process.until_ready().await?;
        Ok(process)
    }

    async fn until_ready(&mut self) -> Result<(), Failure> {
        let client = client(Duration::from_secs(2))?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let has_ended = self.child.try_wait().ok().flatten().is_some();
            if let Some(base) = self.address() {
                let ready = client.get(below(&base, "readyz")).send().await;
                if ready.is_ok_and(|answer| answer.status() == 200) {
                    self.base = base;
                    return Ok(());
                }
            }
            if has_ended {
                return Err(Failure::Failed(format!("{} ended: {}", self.name, self.last_words())));
            }
            sleep(LOOK).await;
        }
        let (name, words) = (self.name, self.last_words());
        Err(Failure::Failed(format!("{name} was not ready within {PATIENCE:?}: {words}")))
    }

    /// Where it says that it listens.
    fn address(&self) -> Option<Url> {
        let log = std::fs::read_to_string(&self.log).ok()?;
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut serving = lines.filter(|line| line.get("message") == Some(&"serving".into()));
        let address = serving.next()?.get("address")?.as_str()?.to_owned();
        format!("http://{address}").parse().ok()
    }

    /// The end of what it wrote.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(LAST_LINES).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Asks it to stop, and waits for that.
    pub async fn stop(mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = id.map(|id| kill_process(id, Signal::TERM));
        if asked.is_none_or(|asked| asked.is_err()) {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && self.child.try_wait().ok().flatten().is_none() {
            sleep(LOOK).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
