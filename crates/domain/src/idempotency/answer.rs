//! A final answer, kept word for word.

use bytes::Bytes;
use time::OffsetDateTime;

use crate::account::RequestId;

/// The parts of an HTTP answer that every repeat gets, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// `Location`, when there is one.
    pub location: Option<String>,
    /// The body, which every replay shares.
    pub body: Bytes,
}

/// A stored answer with what a repeat is told about it.
#[derive(Debug, Clone, Eq)]
pub struct SettledAnswer {
    /// What is replayed.
    pub answer: StoredAnswer,
    /// When it stops being replayed.
    pub expires_at: OffsetDateTime,
    /// The store's clock when it told of it: so much before its end.
    pub told_at: OffsetDateTime,
    /// The request that opened the record.
    pub request_id: RequestId,
}

/// The same answer is the same whenever the store told of it.
impl PartialEq for SettledAnswer {
    fn eq(&self, other: &Self) -> bool {
        let Self { answer, expires_at, told_at: _, request_id } = self;
        (answer, expires_at, request_id) == (&other.answer, &other.expires_at, &other.request_id)
    }
}
