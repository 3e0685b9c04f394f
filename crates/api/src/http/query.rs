//! Reads a query string: every parameter known, each at most once.

use std::borrow::Cow;

use url::form_urlencoded;

use super::fields::Fields;

/// Sorts the parameters of a query string by the known names.
pub fn fields(known: &'static [&'static str], query: &str) -> Fields<String> {
    let pairs = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
        .collect::<Vec<(Cow<'static, str>, String)>>();
    Fields::new(known, pairs)
}
