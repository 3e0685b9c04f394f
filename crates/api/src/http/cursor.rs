//! The opaque cursor of a list: where the next page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use payonce_domain::payment::PaymentId;
use payonce_domain::ports::PageCursor;
use time::OffsetDateTime;
use uuid::Uuid;

/// Spells a cursor: microseconds since 1970 and the id, 24 bytes in base64url (RFC 4648).
pub fn encode(cursor: PageCursor) -> String {
    let micros = cursor.created_at.unix_timestamp_nanos() / 1_000;
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    URL_SAFE_NO_PAD.encode([&micros.to_be_bytes()[..], cursor.id.0.as_bytes()].concat())
}

/// Reads a cursor.
pub fn decode(text: &str) -> Option<PageCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (micros, id) = bytes.split_first_chunk::<8>()?;
    // No payment was made before 1970.
    let micros = u64::try_from(i64::from_be_bytes(*micros)).ok()?;
    let nanos = i128::from(micros) * 1_000;
    Some(PageCursor {
        created_at: OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?,
        id: PaymentId(Uuid::from_slice(id).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_cursor_reads_back() {
        let created_at = datetime!(2026-01-01 12:00:00.123456 UTC);
        let cursor = PageCursor { created_at, id: PaymentId(Uuid::from_u128(7)) };
        assert_eq!(decode(&encode(cursor)), Some(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "abc", "!!!", "AAAAAAAAAAA", &"A".repeat(64)] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
