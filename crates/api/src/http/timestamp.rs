//! Times on the wire: RFC 3339 in UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Spells a time.
pub fn rfc3339(at: OffsetDateTime) -> String {
    // Years 0 to 9999 always format.
    at.to_offset(time::UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// Reads a time with any offset that is in the years 0 to 9999 in UTC, too.
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    at.checked_to_offset(time::UtcOffset::UTC).filter(|at| at.year() >= 0)
}
