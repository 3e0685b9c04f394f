//! Secrets that the tests give to the service, and the search for them wherever none may show:
//! answers, logs, and the databases that tests leave.

/// Stands in secrets that tests make up, and nowhere else.
const CANARY: &str = "canary-of-";

/// Forms in which a secret would show: as it is, encoded as in `whsec_…`, and as PostgreSQL prints
/// bytes; then secrets whose form is not ours to choose, and the sample of config/default.toml.
const SECRETS: [&str; 6] = [
    CANARY,
    "Y2FuYXJ5LW9m",
    "63616e6172792d6f662d",
    "C2FVsBQIhrscChlQIMV",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "payonce-sample-secret",
];

/// How API keys begin, and how much longer than what may be shown of one a text is that shows more;
/// whatever stands behind a key in a database's file may look like a character of it.
const API_KEYS: [&str; 2] = ["po_test_", "po_live_"];
const SHOWN: usize = 12;
const MORE: usize = 8;

/// Fails when a text shows a secret.
#[track_caller]
pub fn shows_no_secret(place: &str, text: &str) {
    if let Some(secret) = secret_in(text) {
        panic!("{place} shows a secret, {secret}: {text}");
    }
}

/// The first secret in a text.
pub fn secret_in(text: &str) -> Option<&str> {
    let known = SECRETS.iter().find_map(|secret| text.matches(secret).next());
    known.or_else(|| API_KEYS.iter().find_map(|start| api_key_in(text, start)))
}

fn api_key_in<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.match_indices(start).find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let key = rest.get(..end.unwrap_or(rest.len()))?;
        (key.len() >= start.len() + SHOWN + MORE).then_some(key)
    })
}
