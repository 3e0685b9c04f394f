//! A TCP proxy between the service and its database, that resets connections and freezes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::Failure;

/// What it does with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Passes them on.
    Open,
    /// Keeps them, and the connections; new ones are taken and not served.
    Frozen,
}

/// The proxy.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<watch::Sender<Line>>,
    cuts: Arc<watch::Sender<u64>>,
    listening: AbortHandle,
}

impl Proxy {
    /// Leads to that port of this machine.
    pub async fn start(port: u16) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let line = Arc::new(watch::Sender::new(Line::Open));
        let cuts = Arc::new(watch::Sender::new(0));
        let (lines, cut) = (Arc::clone(&line), Arc::clone(&cuts));
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (line, mut cut) = (lines.subscribe(), cut.subscribe());
                tokio::spawn(async move {
                    let (client, cut) = (Arc::new(client), &mut cut);
                    tokio::select! {
                        _ = serve(Arc::clone(&client), port, line) => {}
                        _ = cut.changed() => {
                            drop(SockRef::from(&*client).set_linger(Some(Duration::ZERO)));
                        }
                    }
                });
            }
        });
        Ok(Self { address, line, cuts, listening: listening.abort_handle() })
    }

    /// Its own port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Opens or freezes every connection.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Resets every connection.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts = cuts.wrapping_add(1));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn serve(
    client: Arc<TcpStream>,
    port: u16,
    mut line: watch::Receiver<Line>,
) -> std::io::Result<()> {
    opened(&mut line).await;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut from_server, mut to_server) = server.split();
    let (mut up, mut down) = (vec![0_u8; 16 * 1024], vec![0_u8; 16 * 1024]);
    loop {
        tokio::select! {
            ready = client.readable() => {
                ready?;
                opened(&mut line).await;
                match client.try_read(&mut up) {
                    Ok(0) => return Ok(()),
                    Ok(read) => to_server.write_all(up.get(..read).unwrap_or_default()).await?,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            read = from_server.read(&mut down) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                opened(&mut line).await;
                let mut rest = down.get(..read).unwrap_or_default();
                while !rest.is_empty() {
                    client.writable().await?;
                    match client.try_write(rest) {
                        Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
}

async fn opened(line: &mut watch::Receiver<Line>) {
    drop(line.wait_for(|line| *line == Line::Open).await);
}
