//! What a payer says to its gateway, overheard on the way.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// An address that leads to a gateway; the way ends when this is dropped.
pub struct Wiretap {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
    accepting: JoinHandle<()>,
}

impl Wiretap {
    /// Listens in on the way to that gateway.
    pub async fn on(gateway: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let ear = Arc::clone(&heard);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((payer, _)) = listener.accept().await {
                connections.spawn(pass_on(payer, gateway, Arc::clone(&ear)));
            }
        });
        Self { address, heard, accepting }
    }

    /// How many charges were sent.
    pub fn charges(&self) -> usize {
        self.requests("POST /fake-gateway/charges HTTP")
    }

    /// How many look-ups were sent.
    pub fn look_ups(&self) -> usize {
        self.requests("GET /fake-gateway/charges/")
    }

    /// How many voids were sent.
    pub fn voids(&self) -> usize {
        self.requests("/void HTTP")
    }

    fn requests(&self, line: &str) -> usize {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.windows(line.len()).filter(|part| *part == line.as_bytes()).count()
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass_on(payer: TcpStream, gateway: SocketAddr, ear: Arc<Mutex<Vec<u8>>>) {
    let Ok(gateway) = TcpStream::connect(gateway).await else {
        return;
    };
    let (from_payer, mut to_payer) = payer.into_split();
    let (mut from_gateway, to_gateway) = gateway.into_split();
    let hear = hear(from_payer, to_gateway, ear);
    // Whichever side ends, the connection does.
    tokio::select! {
        () = hear => {}
        _ended = tokio::io::copy(&mut from_gateway, &mut to_payer) => {}
    }
}

/// What is heard is noted before it is passed on: who has an answer finds its request noted.
async fn hear(
    mut from: impl AsyncRead + Unpin,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    ear: Arc<Mutex<Vec<u8>>>,
) {
    let mut part = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut part).await {
        let part = &part[..length];
        ear.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(part);
        if to.write_all(part).await.is_err() {
            return;
        }
    }
}
