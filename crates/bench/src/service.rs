//! Processes of the release binary, on ports of their own, gone when they are dropped; knows not
//! what is asked of them.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::connection::{Connection, get};

/// How long it may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service under a herd would log more than it pays: whoever reads the terminal would be measured.
const QUIET: (&str, &str) = ("PAYONCE__LOG__LEVEL", "off");

/// A process of the binary beside this one.
pub struct Process(Child);

impl Process {
    /// Starts that command.
    pub fn start(command: &str, variables: &[(&str, &str)]) -> Result<Self, Failure> {
        Ok(Self(command_of(&[command], variables)?.spawn()?))
    }

    /// The same, with its log in a file.
    pub fn start_logged(
        command: &str,
        variables: &[(&str, &str)],
        log: File,
    ) -> Result<Self, Failure> {
        let mut process = command_of(&[command], variables)?;
        Ok(Self(process.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Stops its time.
    pub fn pause(&self) -> Result<(), Failure> {
        self.signal(Signal::STOP)
    }

    /// Lets its time go on.
    pub fn go_on(&self) -> Result<(), Failure> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let pid = Pid::from_raw(self.0.id().try_into()?).ok_or("a process has an id")?;
        Ok(kill_process(pid, signal)?)
    }
}

/// Runs a command of the binary to its end, and returns what it printed.
pub async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Result<String, Failure> {
    printed(command_of(arguments, variables)?).await
}

/// Runs a program to its end, and returns what it printed; where it fails, that is what it told.
pub async fn printed(mut command: Command) -> Result<String, Failure> {
    command.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || {
        let output = command.output();
        (command, output)
    });
    let (command, output) = output.await?;
    let (program, output) = (command.get_program().display(), output?);
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} failed: {}", told.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What the operator's shell sets for a service of its own is none of the measurement's.
fn command_of(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Command, Failure> {
    let mut process = Command::new(binary()?);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PAYONCE")) {
        process.env_remove(name);
    }
    process.args(arguments).envs([QUIET]).envs(variables.iter().copied());
    Ok(process)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked and not killed: where it counts what it runs (scripts/pgo), it writes that when it ends.
        if self.signal(Signal::TERM).and_then(|()| self.go_on()).is_err() {
            drop(self.0.kill());
        }
        drop(self.0.wait());
    }
}

/// A running service.
pub struct Service {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Service {
    /// Starts `payonce serve` and waits until it is ready.
    pub async fn start(variables: &[(&str, &str)]) -> Result<Self, Failure> {
        Self::start_by(variables, |variables| Process::start("serve", variables)).await
    }

    /// The same, with its log in a file.
    pub async fn start_logged(variables: &[(&str, &str)], log: File) -> Result<Self, Failure> {
        Self::start_by(variables, |it| Process::start_logged("serve", it, log)).await
    }

    /// Starts the handler that payments are measured against.
    pub async fn start_bare(log: File) -> Result<Self, Failure> {
        Self::start_by(&[], |variables| {
            let mut process = Command::new(std::env::current_exe()?);
            process.arg("bare").envs(variables.iter().copied()).stdin(Stdio::null());
            Ok(Process(process.stdout(log.try_clone()?).stderr(log).spawn()?))
        })
        .await
    }

    async fn start_by(
        variables: &[(&str, &str)],
        start: impl FnOnce(&[(&str, &str)]) -> Result<Process, Failure>,
    ) -> Result<Self, Failure> {
        let address = free_address()?;
        let port = address.port().to_string();
        let variables = [variables, &[("PORT", port.as_str())]].concat();
        let service = Self { process: start(&variables)?, address };
        let deadline = Instant::now() + PATIENCE;
        while !service.is_ready().await {
            if Instant::now() > deadline {
                return Err(format!("the service at {address} is not ready in time").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(service)
    }

    async fn is_ready(&self) -> bool {
        let ready = async {
            let mut connection = Connection::open(self.address).await?;
            connection.send(get(self.address, "/readyz")?).await
        };
        ready.await.is_ok_and(|answer| answer.status == 200)
    }

    /// Its process's number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The processor time that it has used so far.
    pub fn processor_time(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.0.id()))?;
        // Behind the command's name, which may hold anything, fields 12 and 13 count ticks.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let ticks = fields.skip(11).take(2).map(str::parse::<u64>);
        Ok(Duration::from_millis(ticks.sum::<Result<u64, _>>()? * MILLISECONDS_IN_A_TICK))
    }
}

/// Linux counts a hundred a second.
const MILLISECONDS_IN_A_TICK: u64 = 10;

fn binary() -> Result<PathBuf, Failure> {
    let binary = std::env::current_exe()?.with_file_name("payonce");
    match binary.exists() {
        true => Ok(binary),
        false => Err("build it first: cargo build --release --bin payonce".into()),
    }
}

/// Where nobody listens.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
