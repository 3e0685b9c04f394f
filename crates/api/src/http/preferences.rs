//! Reads the `Prefer` header (RFC 7240).

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

/// What a client prefers; a preference that is not understood is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preferences {
    /// How long to wait for an answer.
    pub wait: Option<Duration>,
    /// Answer at once, and do the work later.
    pub respond_async: bool,
}

impl Preferences {
    /// Reads every `Prefer` line.
    pub fn read(headers: &HeaderMap) -> Self {
        let lines: Vec<_> =
            headers.get_all("Prefer").filter_map(|line| line.to_str().ok()).collect();
        // Names of preferences are case-insensitive, keys of a structured field are lower case.
        let joined = lines.join(", ").to_ascii_lowercase();
        let parsed: Dictionary = Parser::new(&joined).parse().unwrap_or_default();
        let wait = match parsed.get("wait") {
            Some(ListEntry::Item(item)) => match &item.bare_item {
                BareItem::Integer(seconds) => {
                    u64::try_from(i64::from(*seconds)).ok().map(Duration::from_secs)
                }
                _ => None,
            },
            _ => None,
        };
        Self { wait, respond_async: parsed.contains_key("respond-async") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn wait(lines: &[&'static str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::from_static("prefer");
            headers.append(name, HeaderValue::from_static(line));
        }
        Preferences::read(&headers).wait.map(|wait| wait.as_secs())
    }

    #[test]
    fn wait_is_read_among_other_preferences() {
        assert_eq!(wait(&["wait=7"]), Some(7));
        assert_eq!(wait(&["respond-async, Wait=0"]), Some(0));
        assert_eq!(wait(&["return=minimal", "wait=3"]), Some(3));
    }

    #[test]
    fn what_is_not_understood_is_no_preference() {
        for line in ["wait", "wait=soon", "wait=-1", "wait=1.5", "{}", ""] {
            assert_eq!(wait(&[line]), None, "{line}");
        }
        assert_eq!(wait(&[]), None);
    }
}
