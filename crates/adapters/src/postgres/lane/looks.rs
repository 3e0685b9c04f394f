//! Looks for answers. Nothing has to commit for them, so each caller is told as soon as its record is read: it
//! goes on while those of the others are.

use diesel::QueryResult;
use diesel::pg::PgConnection;
use payonce_domain::idempotency::RecordId;
use tokio::sync::oneshot;

use super::records::{Found, look_up};
use super::repeats::Repeats;

/// A key that is looked for.
pub struct Look {
    /// The key.
    pub id: Box<RecordId>,
    /// The way back: nothing where nothing was found, or nobody could look.
    pub reply: oneshot::Sender<Found>,
}

/// The looks of a batch; those that were answered have no way back any more.
#[derive(Default)]
pub struct Looks(Vec<(Box<RecordId>, Option<oneshot::Sender<Found>>)>);

impl Looks {
    /// Adds one.
    pub fn push(&mut self, Look { id, reply }: Look) {
        self.0.push((id, Some(reply)));
    }

    /// Looks, and tells those whose records are there.
    pub fn run(&mut self, conn: &mut PgConnection) -> QueryResult<()> {
        let (ids, mut replies): (Vec<&RecordId>, Vec<_>) =
            self.0.iter_mut().map(|(id, reply)| (&**id, reply)).unzip();
        look_up(conn, &ids, |place, known| {
            let reply = replies.get_mut(place).and_then(|reply| reply.take());
            // A caller that is gone needs no answer.
            let _ = reply.map(|reply| reply.send(Some(known)));
        })
    }

    /// Notes how many were told, and tells the others.
    pub fn end(self, repeats: &Repeats) {
        let told = self.0.iter().filter(|(_, reply)| reply.is_none()).count();
        repeats.looked(self.0.len(), told);
        for reply in self.0.into_iter().filter_map(|(_, reply)| reply) {
            let _ = reply.send(None);
        }
    }
}
