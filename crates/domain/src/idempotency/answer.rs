//! A final answer, kept word for word.

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
    /// The body.
    pub body: Vec<u8>,
}

/// A stored answer with what a repeat is told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledAnswer {
    /// What is replayed.
    pub answer: StoredAnswer,
    /// When it stops being replayed.
    pub expires_at: OffsetDateTime,
    /// The request that opened the record.
    pub request_id: RequestId,
}
