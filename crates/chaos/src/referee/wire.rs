//! Requests as they come in and answers as they go out, byte by byte, so that any of them can be
//! spoilt; knows no payments.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// More than any caller sends.
const LONGEST: usize = 64 * 1024;

/// A whole request.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The key of a charge.
    pub key: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What goes back.
#[derive(Debug)]
pub enum Reply {
    /// An answer with its status.
    Json(u16, Vec<u8>),
    /// The same, and when to come again, in seconds.
    RetryAfter(u16, Vec<u8>, u64),
    /// Only the first half of it.
    Half(u16, Vec<u8>),
    /// It comes byte by byte.
    Drip(u16, Vec<u8>),
    /// Whatever this is.
    Raw(Vec<u8>),
    /// None, for as long as the caller waits.
    Silence,
    /// None, and the connection is reset.
    Reset,
}

/// One connection.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    /// A connection that has been accepted.
    pub fn new(stream: TcpStream) -> Self {
        // Only speed would suffer.
        drop(stream.set_nodelay(true));
        Self { stream, read: Vec::new() }
    }

    /// The next request; `None` once the caller is gone, or talks nonsense.
    pub async fn next(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some(request) = self.whole() {
                return Ok(Some(request));
            }
            if self.read.len() > LONGEST || self.stream.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn whole(&mut self) -> Option<Request> {
        let end = self.read.windows(4).position(|four| four == b"\r\n\r\n")?.checked_add(4)?;
        let head = String::from_utf8_lossy(self.read.get(..end)?).into_owned();
        let header = |name: &str| {
            let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            values.next().map(|(_, value)| value.trim().to_owned())
        };
        let length = header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0_usize);
        let all = end.checked_add(length)?;
        let body = self.read.get(end..all)?.to_vec();
        let mut first = head.lines().next().unwrap_or_default().split(' ');
        let method = first.next().unwrap_or_default().to_owned();
        let path = first.next().unwrap_or_default().to_owned();
        let key = header("idempotency-key");
        self.read.drain(..all);
        Some(Request { method, path, key, body })
    }

    /// Sends an answer; false when the connection is of no more use.
    pub async fn send(&mut self, reply: Reply) -> io::Result<bool> {
        match reply {
            Reply::Json(status, body) => self.write(&whole(status, &body, "")).await,
            Reply::RetryAfter(status, body, seconds) => {
                let header = format!("retry-after: {seconds}\r\n");
                self.write(&whole(status, &body, &header)).await
            }
            Reply::Half(status, body) => {
                let all = whole(status, &body, "");
                let half = all.len().saturating_sub(body.len() / 2);
                self.write(all.get(..half).unwrap_or_default()).await?;
                Ok(false)
            }
            Reply::Drip(status, body) => {
                for byte in whole(status, &body, "") {
                    self.write(&[byte]).await?;
                    sleep(Duration::from_millis(20)).await;
                }
                Ok(true)
            }
            Reply::Raw(bytes) => {
                self.write(&bytes).await?;
                Ok(false)
            }
            Reply::Silence => {
                // Resolves when the caller gives up.
                while self.stream.read_buf(&mut self.read).await? > 0 {}
                Ok(false)
            }
            Reply::Reset => {
                SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
                Ok(false)
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.stream.write_all(bytes).await?;
        Ok(true)
    }
}

fn whole(status: u16, body: &[u8], more: &str) -> Vec<u8> {
    let length = body.len();
    let mut all = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n{more}content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    all.extend_from_slice(body);
    all
}
