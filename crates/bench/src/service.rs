//! Processes of the release binary, on ports of their own, gone when they are dropped; knows not
//! what is asked of them.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::connection::{Connection, get};

/// How long it may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service under a herd would log more than it pays: whoever reads the terminal would be measured.
const QUIET: (&str, &str) = ("PAYONCE__LOG__LEVEL", "off");

/// A running service.
pub struct Service {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Service {
    /// Starts `payonce serve`, the one beside this binary, and waits until it is ready.
    pub async fn start(variables: &[(&str, &str)]) -> Result<Self, Failure> {
        let address = free_address()?;
        let mut command = Command::new(binary()?);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PAYONCE")) {
            command.env_remove(name);
        }
        command.arg("serve").env("PORT", address.port().to_string());
        command.envs([QUIET]).envs(variables.iter().copied());
        let service = Self { child: command.spawn()?, address };
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

    /// The processor time that it has used so far.
    pub fn processor_time(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the command's name, which may hold anything, fields 12 and 13 count ticks.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let ticks = fields.skip(11).take(2).map(str::parse::<u64>);
        Ok(Duration::from_millis(ticks.sum::<Result<u64, _>>()? * MILLISECONDS_IN_A_TICK))
    }
}

/// Linux counts a hundred a second.
const MILLISECONDS_IN_A_TICK: u64 = 10;

impl Drop for Service {
    fn drop(&mut self) {
        // It may be gone already; what it holds is private to the measurement.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn binary() -> Result<PathBuf, Failure> {
    let binary = std::env::current_exe()?.with_file_name("payonce");
    match binary.exists() {
        true => Ok(binary),
        false => Err("build it first: cargo build --release --bin payonce".into()),
    }
}

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
