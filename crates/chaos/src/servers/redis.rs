//! A Redis of the run's own, that may be killed, stand still and be flushed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::free_port;
use super::postgres::send;
use crate::Failure;

/// The server.
pub struct Redis {
    folder: PathBuf,
    port: u16,
    process: Mutex<Option<Child>>,
}

impl Redis {
    /// Starts it.
    pub async fn start(folder: &Path) -> Result<Self, Failure> {
        let redis =
            Self { folder: folder.to_owned(), port: free_port()?, process: Mutex::new(None) };
        redis.launch().await?;
        Ok(redis)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it again, empty.
    pub async fn launch(&self) -> Result<(), Failure> {
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "redis-server", "--bind", "127.0.0.1"])
            .args(["--port", &self.port.to_string(), "--save", "", "--appendonly", "no"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        for _ in 0..500 {
            if self.say("PING").await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err("no Redis: install it (Debian: apt-get install redis-server)".into())
    }

    /// Kills it.
    pub fn kill(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut process) = process {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_ref().map_or(Ok(()), |process| send(process.id(), signal))
    }

    /// Sends a command, and waits for its answer.
    pub async fn say(&self, command: &str) -> Result<(), Failure> {
        let said = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(format!("{command}\r\n").as_bytes()).await?;
            let mut answer = [0_u8; 64];
            match stream.read(&mut answer).await? {
                0 => Err(Failure::from("it hung up")),
                _ => Ok(()),
            }
        };
        timeout(Duration::from_secs(2), said).await?
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
