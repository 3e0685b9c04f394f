//! A line to PostgreSQL that breaks where a transaction commits, once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What is lost with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The commit: the server never sees it.
    Commit,
    /// The answer: the server has committed.
    Answer,
}

/// Lets connections through to a PostgreSQL server; they end when it is dropped.
pub struct Fuse {
    armed: Armed,
    _accepting: JoinSet<()>,
}

/// What the message holds that is to be lost.
type Armed = Arc<Mutex<Option<(String, Loss)>>>;

impl Fuse {
    /// Lets everything through that comes to the listener.
    pub fn new(listener: TcpListener, server: String) -> Self {
        let armed = Armed::default();
        let (shared, mut accepting) = (Arc::clone(&armed), JoinSet::new());
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (server, armed) = (server.clone(), Arc::clone(&shared));
                connections.spawn(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        drop(let_through(client, server, armed).await);
                    }
                });
            }
        });
        Self { armed, _accepting: accepting }
    }

    /// Breaks at the next message of a client that holds these bytes, and by which a transaction
    /// commits.
    pub fn blow_at(&self, bytes: &str, loss: Loss) {
        let armed = Some((bytes.to_owned(), loss));
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = armed;
    }

    /// Whether it broke.
    pub fn is_blown(&self) -> bool {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

async fn let_through(
    mut client: TcpStream,
    mut server: TcpStream,
    armed: Armed,
) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let asked = &asked[..length?];
                match loss_at(asked, &armed) {
                    _ if asked.is_empty() => return Ok(()),
                    None => server.write_all(asked).await?,
                    Some(Loss::Commit) => return Ok(()),
                    Some(Loss::Answer) => {
                        server.write_all(asked).await?;
                        // It answers once it has committed.
                        return server.readable().await;
                    }
                }
            }
            length = server.read(&mut answered) => {
                let answered = &answered[..length?];
                if answered.is_empty() {
                    return Ok(());
                }
                client.write_all(answered).await?;
            }
        }
    }
}

/// What these bytes of a client lose, if they are what it waits for.
fn loss_at(asked: &[u8], armed: &Armed) -> Option<Loss> {
    let mut armed = armed.lock().unwrap_or_else(PoisonError::into_inner);
    let (bytes, _) = armed.as_ref()?;
    let is_it = asked.windows(bytes.len()).any(|window| window == bytes.as_bytes());
    is_it.then(|| armed.take().map(|(_, loss)| loss)).flatten()
}
