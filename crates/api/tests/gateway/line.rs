//! The line from a payer to its gateway, which a test can cut and choke.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A port that leads to a gateway.
pub struct Line {
    pub address: SocketAddr,
    gateway: SocketAddr,
    connections: Arc<AtomicUsize>,
    at_work: JoinSet<()>,
    /// Keeps the port while nobody listens on it.
    _port: Socket,
}

impl Line {
    /// A line that works.
    pub fn to(gateway: SocketAddr) -> Self {
        let port = bound("127.0.0.1:0".parse().expect("an address"));
        let address = port.local_addr().ok().and_then(|address| address.as_socket());
        let address = address.expect("it is bound");
        let (connections, at_work) = (Arc::default(), JoinSet::new());
        let mut line = Self { address, gateway, connections, at_work, _port: port };
        line.listen(Some(gateway));
        line
    }

    /// From now on connections are refused.
    pub async fn cut(&mut self) {
        self.at_work.shutdown().await;
    }

    /// From now on connections are accepted, and nothing is ever answered.
    pub async fn choke(&mut self) {
        self.cut().await;
        self.listen(None);
    }

    /// It works again.
    pub async fn restore(&mut self) {
        self.cut().await;
        self.listen(Some(self.gateway));
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn listen(&mut self, gateway: Option<SocketAddr>) {
        let listener = bound(self.address);
        listener.listen(128).expect("the port is ours");
        let listener = TcpListener::from_std(listener.into()).expect("a listener");
        let connections = Arc::clone(&self.connections);
        self.at_work.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut caller, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                open.spawn(async move {
                    match gateway {
                        None => std::future::pending().await,
                        Some(gateway) => {
                            if let Ok(mut gateway) = TcpStream::connect(gateway).await {
                                let both = (&mut caller, &mut gateway);
                                drop(tokio::io::copy_bidirectional(both.0, both.1).await);
                            }
                        }
                    }
                });
            }
        });
    }
}

/// A socket on that address, beside others that do not listen.
fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    socket.bind(&address.into()).expect("the port is free");
    socket
}
