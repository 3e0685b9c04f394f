//! Cursors, times and query strings.

use payonce_fuzzing::every_input;

use crate::http::{cursor, query, timestamp};

#[test]
fn a_cursor_has_one_spelling() {
    every_input!("cursor", |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        if let Some(read) = cursor::decode(text) {
            assert_eq!(cursor::encode(read), text);
        }
    });
}

#[test]
fn a_time_is_the_same_instant_once_it_is_spelled_in_utc() {
    every_input!("timestamp", |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let Some(read) = timestamp::parse(text) else { return };
        let spelled = timestamp::rfc3339(read);
        assert!(spelled.ends_with('Z'), "{text} is {spelled}");
        assert_eq!(timestamp::parse(&spelled), Some(read), "{text} is {spelled}");
    });
}

#[test]
fn a_parameter_stands_once_and_is_known() {
    every_input!("query", |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let mut fields = query::fields(&["limit", "cursor"], text);
        let limit = fields.optional("limit", |value: String| Ok(Some(value)));
        let cursor = fields.optional("cursor", |value: String| Ok(Some(value)));
        let Err(problem) = fields.finish() else {
            let pairs = [("limit", limit), ("cursor", cursor)];
            let sent: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).collect();
            let mut known: Vec<_> =
                pairs.iter().filter_map(|(name, it)| Some((*name, it.as_deref()?))).collect();
            let mut sent: Vec<_> = sent.iter().map(|(name, it)| (&**name, &**it)).collect();
            known.sort_unstable();
            sent.sort_unstable();
            return assert_eq!(known, sent);
        };
        super::assert_is_named(&problem, input);
    });
}
