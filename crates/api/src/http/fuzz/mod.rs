//! What the interface reads of requests, tried on every kind of bytes: bodies of each format,
//! headers, cursors.
//!
//! A corpus is in `__fuzz__/NAME/corpus`; `payonce_fuzzing` says what is made of it.

mod bodies;
mod headers;
mod texts;

use serde_json::Value;

use super::problem::Problem;

/// A refusal is the client's fault, says which field or that there is no object, and repeats no
/// more than a part of what was sent.
fn assert_is_named(problem: &Problem, input: &[u8]) {
    assert_eq!(problem.status(), 400, "{problem}");
    let body = problem.body(&"r-1".parse().expect("valid"), None);
    let body: Value = serde_json::from_slice(&body).expect("an answer is JSON");
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    match problem.code() {
        "malformed_body" => assert!(!problem.detail_text().is_empty()),
        "validation_failed" => assert!(!errors.is_empty(), "{:?}", String::from_utf8_lossy(input)),
        other => panic!("{other} is no refusal of a body"),
    }
    for error in errors {
        let part = |name: &str| error[name].as_str().expect("a text").to_owned();
        assert!(part("field").chars().count() <= 100, "{error}");
        assert!(!part("code").is_empty() && !part("detail").is_empty(), "{error}");
        assert!(part("detail").chars().count() <= 400, "{error}");
    }
}
