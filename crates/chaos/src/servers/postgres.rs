//! A PostgreSQL of the run's own, that may be killed, stopped and started again; knows no tables.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::time::sleep;

use super::free_port;
use crate::Failure;

/// How long it may take to be ready, recovery included.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server.
pub struct Postgres {
    data: PathBuf,
    log: PathBuf,
    port: u16,
    user: Option<(u32, u32)>,
    settings: Vec<String>,
    process: Mutex<Option<Child>>,
}

impl Postgres {
    /// Makes a cluster in that folder and starts it.
    pub async fn start(folder: &Path, settings: &[&str]) -> Result<Self, Failure> {
        Self::start_at(folder, &folder.join("data"), settings).await
    }

    /// The same with its data in another folder, which is there and empty.
    pub async fn start_at(folder: &Path, data: &Path, settings: &[&str]) -> Result<Self, Failure> {
        std::fs::create_dir_all(data)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o711))?;
        let user = unprivileged()?;
        let sockets = folder.join("sockets");
        std::fs::create_dir_all(&sockets)?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(data, Some(uid), Some(gid))?;
            std::os::unix::fs::chown(&sockets, Some(uid), Some(gid))?;
        }
        let mut all = vec![format!("unix_socket_directories={}", sockets.display())];
        all.extend(settings.iter().map(|&setting| setting.to_owned()));
        let server = Self {
            data: data.to_owned(),
            log: folder.join("postgres.log"),
            port: free_port()?,
            user,
            settings: all,
            process: Mutex::new(None),
        };
        let made = server
            .command("initdb")?
            .arg("--pgdata")
            .arg(data)
            .args(["--username", "postgres", "--auth", "trust", "--encoding", "UTF8"])
            .args(["--no-locale", "--no-sync"])
            .stdout(Stdio::null())
            .output()?;
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(format!("initdb failed: {why}").into());
        }
        server.launch().await?;
        Ok(server)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and waits until it takes connections.
    pub async fn launch(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut process = self.spawn()?;
            let id = process.id().to_string();
            while process.try_wait()?.is_none() {
                if self.is_ready(&id) {
                    *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
                    return Ok(());
                }
                if Instant::now() > deadline {
                    drop(process.kill());
                    return Err("PostgreSQL is not ready in time".into());
                }
                sleep(Duration::from_millis(20)).await;
            }
            // The processes of one that was killed may live for another moment.
            if Instant::now() > deadline {
                return Err(format!("PostgreSQL does not start: see {}", self.log.display()).into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it by a signal, and waits for that.
    pub async fn end(&self, signal: Signal) -> Result<(), Failure> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut process) = process else {
            return Ok(());
        };
        if process.try_wait()?.is_some() {
            // It has ended by itself; its number may be somebody else's by now.
            return Ok(());
        }
        send(process.id(), signal)?;
        let deadline = Instant::now() + PATIENCE;
        while process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                drop(process.kill());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    fn spawn(&self) -> Result<Child, Failure> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = self.command("postgres")?;
        command.arg("-D").arg(&self.data);
        command.args(["-c", &format!("port={}", self.port), "-c", "listen_addresses=127.0.0.1"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?)
    }

    fn command(&self, name: &str) -> Result<Command, Failure> {
        let binary = find(name)?;
        // Should not outlive this process even when that is killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some((uid, gid)) = self.user {
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string()]);
            command.arg("--clear-groups");
        }
        command.arg("--").arg(binary).current_dir("/");
        Ok(command)
    }

    fn is_ready(&self, id: &str) -> bool {
        let Ok(file) = std::fs::read_to_string(self.data.join("postmaster.pid")) else {
            return false;
        };
        let mut lines = file.lines();
        lines.next() == Some(id) && lines.nth(6).is_some_and(|state| state.starts_with("ready"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut process) = process {
            drop(send(process.id(), Signal::QUIT));
            drop(process.wait());
        }
    }
}

/// Sends a signal to a process of ours.
pub fn send(id: u32, signal: Signal) -> Result<(), Failure> {
    let pid = Pid::from_raw(id.try_into()?).ok_or("a process has an id")?;
    Ok(kill_process(pid, signal)?)
}

/// PostgreSQL refuses root: who runs it in root's place.
fn unprivileged() -> Result<Option<(u32, u32)>, Failure> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let mut fields = users.lines().map(|line| line.split(':'));
        let mut user = fields.find(|fields| fields.clone().next() == Some(name))?;
        Some((user.nth(2)?.parse().ok()?, user.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or_else(|| "no user to run it".into())
}

fn find(name: &str) -> Result<PathBuf, Failure> {
    let mut places: Vec<PathBuf> =
        std::env::var_os("POSTGRES_BIN").into_iter().map(Into::into).collect();
    if places.is_empty() {
        let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        places.extend(installed.map(|version| version.path().join("bin")));
        places.sort();
        places.reverse();
        let path = std::env::var_os("PATH").unwrap_or_default();
        places.extend(std::env::split_paths(&path));
    }
    let binary = places.into_iter().map(|place| place.join(name)).find(|it| it.is_file());
    binary.ok_or_else(|| {
        format!("no {name} found: install PostgreSQL (Debian: apt-get install postgresql)").into()
    })
}
