//! Hears what other instances announce, on a connection of its own.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::{Connection, QueryResult};
use payonce_domain::payment::PaymentId;
use payonce_domain::ports::{BoxedError, Tell};

use super::statements::CHANNEL;

/// Between two looks at what the server has sent. The library cannot wait for it; a look costs one
/// system call and no query.
const LOOK: Duration = Duration::from_millis(20);
/// Before a lost connection is made anew.
const RECONNECT: Duration = Duration::from_secs(1);

/// Tells of announced payments until it is dropped.
pub async fn listen(url: &str, tell: Tell) {
    loop {
        if let Err(error) = listen_once(url, &tell).await {
            tracing::debug!(error, "no news from other instances for a moment");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen_once(url: &str, tell: &Tell) -> Result<(), BoxedError> {
    let url = url.to_owned();
    let mut conn = tokio::task::spawn_blocking(move || {
        let mut conn = PgConnection::establish(&url)?;
        conn.batch_execute(&format!("LISTEN {CHANNEL}"))?;
        Ok::<_, BoxedError>(conn)
    })
    .await??;
    loop {
        let (back, heard) = tokio::task::spawn_blocking(move || {
            let heard: QueryResult<Vec<_>> = conn.notifications_iter().collect();
            (conn, heard)
        })
        .await?;
        conn = back;
        for notification in heard? {
            if let Ok(payment) = notification.payload.parse() {
                tell(PaymentId(payment));
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
