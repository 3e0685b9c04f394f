//! A database that is there only when a test wants it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use crate::app::Database;

/// The test's database behind an address where nobody answers yet.
pub enum Hidden {
    /// A port that is taken, so that nobody else gets it, and on which nobody listens.
    Postgres { port: Arc<Socket>, url: String, server: String },
    /// A folder in place of the file.
    Sqlite { url: String, folder: PathBuf },
}

/// Lets connections through to a PostgreSQL server; they end when it is dropped.
pub struct Gate {
    _accepting: Option<JoinSet<()>>,
}

impl Hidden {
    /// Hides a database.
    pub fn new(database: &Database) -> Self {
        if !database.is_postgres() {
            let folder = PathBuf::from(database.url().trim_start_matches("sqlite://"));
            let folder = folder.with_file_name("later.db");
            std::fs::create_dir(&folder).expect("a folder can be made");
            return Self::Sqlite { url: format!("sqlite://{}", folder.display()), folder };
        }
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        port.set_nonblocking(true).expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        port.bind(&any.into()).expect("a port is free");
        let bound = port.local_addr().ok().and_then(|address| address.as_socket());
        let mut url = Url::parse(database.url()).expect("a URL");
        let host = url.host_str().expect("a host");
        let server = format!("{host}:{}", url.port().unwrap_or(5432));
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(bound.map(|address| address.port())).expect("a port");
        Self::Postgres { port: Arc::new(port), url: url.into(), server }
    }

    /// Where it is going to be.
    pub fn url(&self) -> &str {
        match self {
            Self::Postgres { url, .. } | Self::Sqlite { url, .. } => url,
        }
    }

    /// Makes it appear.
    pub fn appear(&self) -> Gate {
        match self {
            Self::Sqlite { folder, .. } => {
                std::fs::remove_dir(folder).expect("the folder is still empty");
                Gate { _accepting: None }
            }
            Self::Postgres { port, server, .. } => {
                port.listen(128).expect("the port is ours");
                let listener = port.try_clone().expect("a socket").into();
                let listener = TcpListener::from_std(listener).expect("a listener");
                let server = server.clone();
                let mut accepting = JoinSet::new();
                accepting.spawn(async move { let_through(listener, &server).await });
                Gate { _accepting: Some(accepting) }
            }
        }
    }
}

async fn let_through(listener: TcpListener, server: &str) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let server = server.to_owned();
        connections.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(server).await {
                let _ended = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
