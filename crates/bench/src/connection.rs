//! Connections that are open before the measurement begins, and requests that are built before;
//! knows the wire and not what is measured.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::Failure;

/// A request, ready to be sent.
pub type Prebuilt = Request<Full<Bytes>>;

/// One keep-alive connection.
pub struct Connection(SendRequest<Full<Bytes>>);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Whether it says that it was stored before.
    pub is_replay: bool,
    /// The body.
    pub body: Bytes,
    /// When the last byte was here.
    pub at: Instant,
}

impl Connection {
    /// Connects, and asks once: a server gives a new connection little time for its first request.
    pub async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut this = Self(sender);
        this.send(get(address, "/healthz")?).await?;
        Ok(this)
    }

    /// Sends a request and reads its whole answer.
    pub async fn send(&mut self, request: Prebuilt) -> Result<Answer, Failure> {
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let status = response.status().as_u16();
        let is_replay =
            response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, is_replay, body, at: Instant::now() })
    }
}

/// Reads a path.
pub fn get(address: SocketAddr, path: &str) -> Result<Prebuilt, Failure> {
    let request = Request::get(path).header("Host", address.to_string());
    Ok(request.body(Full::default())?)
}

/// Pays 100 under a key.
pub fn payment(address: SocketAddr, key: &str) -> Result<Prebuilt, Failure> {
    let request = Request::post("/v1/payments")
        .header("Host", address.to_string())
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", key);
    Ok(request.body(Full::from(r#"{"amount":"100.00"}"#))?)
}

/// Idle connections; it opens another one only when all are busy.
pub struct Pool {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// Opens so many.
    pub async fn open(address: SocketAddr, size: usize) -> Result<Self, Failure> {
        let mut idle = Vec::with_capacity(size);
        for _ in 0..size {
            idle.push(Connection::open(address).await?);
        }
        Ok(Self { address, idle: Mutex::new(idle) })
    }

    /// Where they lead.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An idle one that the server has not closed meanwhile.
    fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.0.is_closed());
        idle.pop()
    }

    /// Sends a request on an idle one.
    pub async fn send(&self, request: Prebuilt) -> Result<Answer, Failure> {
        let mut connection = match self.idle() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let answer = connection.send(request).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(answer)
    }
}
