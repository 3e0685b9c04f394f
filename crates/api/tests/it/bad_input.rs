//! What is refused before the store, always named and never under a used-up key.

use std::sync::Arc;

use reqwest::Method;

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp};
use crate::wire;

/// A body, the field that is named for it, and the rule that it breaks.
type Broken = (Vec<u8>, &'static str, &'static str);

fn broken(body: impl Into<Vec<u8>>, field: &'static str, rule: &'static str) -> Broken {
    (body.into(), field, rule)
}

fn payment_with(field: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    [br#"{"amount":1,""#, field.as_bytes(), b"\":", value.as_ref(), b"}"].concat()
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Sends each body under a key of its own, which is as good as new afterwards.
async fn are_refused(app: &TestApp, bodies: Vec<Vec<u8>>, mut check: impl FnMut(usize, &Answer)) {
    let number = bodies.len();
    for (at, body) in bodies.into_iter().enumerate() {
        let key = format!("k{at}");
        let refused = app.pay(&key, body).await;
        assert_eq!(refused.header("Idempotency-Expires"), None, "{refused:?}");
        check(at, &refused);
        assert_eq!(app.key(&key).await, None);
        app.pay(&key, BODY).await.is_first();
    }
    assert_eq!(app.charges(), number);
    assert_eq!(app.payments().await.len(), number);
}

async fn fields_are_named(database: &Database, cases: Vec<Broken>) {
    let app = TestApp::spawn(database, &[]).await;
    let bodies = cases.iter().map(|(body, ..)| body.clone()).collect();
    are_refused(&app, bodies, |at, refused| {
        let (body, field, rule) = &cases[at];
        let body = String::from_utf8_lossy(&body[..body.len().min(80)]);
        refused.is_refused(400, "validation_failed");
        let named = vec![((*field).to_owned(), (*rule).to_owned())];
        assert_eq!(refused.wrong_fields(), named, "{body}");
    })
    .await;
}

pub async fn a_body_that_is_no_json_object_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let deep = "[".repeat(10_000);
    let bodies: Vec<Vec<u8>> = vec![
        b"".into(),
        b" \n ".into(),
        b"null".into(),
        b"true".into(),
        b"100".into(),
        br#""amount""#.into(),
        b"[]".into(),
        br#"[{"amount":1}]"#.into(),
        b"{".into(),
        b"}".into(),
        br#"{"amount":1"#.into(),
        br#"{"amount":1,}"#.into(),
        br#"{"amount":1}}"#.into(),
        br#"{"amount":1}{"amount":1}"#.into(),
        br#"{"amount":1} x"#.into(),
        br#"{"amount":0x10}"#.into(),
        br#"{"amount":1_000}"#.into(),
        br#"{amount:1}"#.into(),
        br#"{'amount':1}"#.into(),
        br#"{"amount":1}//"#.into(),
        br#"{"amount" 1}"#.into(),
        br#"{"\ud800":1,"amount":1}"#.into(),
        b"amount=1".into(),
        b"\xef\xbb\xbf{\"amount\":1}".into(),
        b"{\"amount\":1,\"reference\":\"\xff\"}".into(),
        b"{\"amount\":1,\"reference\":\"\xed\xa0\x80\"}".into(),
        b"{\"\xc3\x28\":1}".into(),
        "{\"amount\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect(),
        b"\0".into(),
        deep.clone().into(),
        "{\"a\":".repeat(10_000).into(),
        format!("{deep}{}", "]".repeat(10_000)).into(),
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03".into(),
    ];
    let shown: Vec<_> = bodies.iter().map(|body| body.escape_ascii().to_string()).collect();
    are_refused(&app, bodies, |at, refused| {
        let is_named = refused.json()["code"] == "validation_failed";
        // A value that cannot be read is put down to its field, the rest to the body.
        let code = if is_named { "validation_failed" } else { "malformed_body" };
        refused.is_refused(400, code);
        if is_named {
            let rules: Vec<_> = refused.wrong_fields().into_iter().map(|(_, rule)| rule).collect();
            assert_eq!(rules, ["malformed"], "{}", shown[at]);
        }
        assert!(refused.body.len() < 2_000, "{}", refused.body.len());
    })
    .await;
}

pub async fn an_amount_that_cannot_be_paid_is_named(database: Arc<Database>) {
    let amount = |value: &str, rule| broken(format!("{{\"amount\":{value}}}"), "amount", rule);
    let mut cases = vec![
        broken("{}", "amount", "required"),
        amount("null", "required"),
        amount("0", "not_positive"),
        amount("0.00", "not_positive"),
        amount("-0", "not_positive"),
        amount("-1", "not_positive"),
        amount("\"-1\"", "not_positive"),
        amount("-1e400", "not_positive"),
        amount("1e400", "out_of_range"),
        amount("1e99999999999", "out_of_range"),
        amount("92233720368547758.08", "out_of_range"),
        amount(&"9".repeat(60_000), "out_of_range"),
        amount("100.001", "too_many_decimals"),
        amount("\"100.001\"", "too_many_decimals"),
        amount("1e-3", "too_many_decimals"),
        amount("1e-400", "too_many_decimals"),
        amount("NaN", "malformed"),
        amount("Infinity", "malformed"),
        amount("-Infinity", "malformed"),
        amount("+1", "malformed"),
        amount(".5", "malformed"),
        amount("01", "malformed"),
        amount("1.", "malformed"),
        amount("true", "invalid_type"),
        amount("[1]", "invalid_type"),
        amount("{\"value\":1}", "invalid_type"),
        amount(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), "invalid_type"),
        broken(r#"{"amount":1,"amount":1}"#, "amount", "duplicate_field"),
        broken(r#"{"amount":1,"\u0061mount":2}"#, "amount", "duplicate_field"),
        broken(r#"{"amount":0.5,"currency":"JPY"}"#, "amount", "too_many_decimals"),
        broken(r#"{"amount":1.0001,"currency":"BHD"}"#, "amount", "too_many_decimals"),
    ];
    for text in ["", " ", "1 ", " 1", "abc", "1,00", "NaN", "Infinity", "\u{ff11}", "1\\u0000"] {
        cases.push(amount(&quoted(text), "not_a_number"));
    }
    fields_are_named(&database, cases).await;
}

pub async fn a_field_that_breaks_a_rule_is_named(database: Arc<Database>) {
    let mut cases = vec![
        broken(payment_with("amont", "2"), "amont", "unknown_field"),
        broken(payment_with("Amount", "2"), "Amount", "unknown_field"),
        broken(payment_with("", "2"), "", "unknown_field"),
        broken(payment_with("user_id", "\"u\""), "user_id", "unknown_field"),
        broken(
            payment_with("currency", "\"EUR\",\"currency\":\"EUR\""),
            "currency",
            "duplicate_field",
        ),
        broken(payment_with("metadata", "[]"), "metadata", "invalid_type"),
        broken(payment_with("metadata", "\"a\""), "metadata", "invalid_type"),
        broken(payment_with("metadata", "{\"a\":1}"), "metadata", "invalid_type"),
        broken(payment_with("metadata", "{\"a\":null}"), "metadata", "invalid_type"),
        broken(payment_with("metadata", "{\"a\":{}}"), "metadata", "invalid_type"),
        broken(payment_with("metadata", "{\"a\":\"\",\"a\":\"\"}"), "metadata", "invalid_type"),
        broken(payment_with("metadata", "{\"a\":\"\\ud800\"}"), "metadata", "invalid_type"),
        broken(payment_with("metadata", "{\"\":\"\"}"), "metadata", "invalid_metadata"),
        broken(payment_with("metadata", "{\"a\\u0000\":\"\"}"), "metadata", "invalid_metadata"),
        broken(payment_with("metadata", "{\"a\":\"\\u0000\"}"), "metadata", "invalid_metadata"),
    ];
    let deep = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    cases.push(broken(payment_with("metadata", &deep), "metadata", "invalid_type"));
    cases.push(broken(payment_with("other", &deep), "other", "unknown_field"));
    let pairs: Vec<_> = (0..51).map(|at| format!("\"{at}\":\"\"")).collect();
    let pairs = format!("{{{}}}", pairs.join(","));
    cases.push(broken(payment_with("metadata", pairs), "metadata", "invalid_metadata"));
    let long_name = format!("{{\"{}\":\"\"}}", "k".repeat(41));
    cases.push(broken(payment_with("metadata", long_name), "metadata", "invalid_metadata"));
    let long_value = format!("{{\"a\":\"{}\"}}", "v".repeat(501));
    cases.push(broken(payment_with("metadata", long_value), "metadata", "invalid_metadata"));

    for currency in ["usd", "US", "USDX", "", "XXX", "XAU", "ZZZ", "\u{20ac}", "U\\u0000D"] {
        cases.push(broken(
            payment_with("currency", quoted(currency)),
            "currency",
            "unknown_currency",
        ));
    }
    for (field, most) in [("payment_method", 255), ("reference", 255), ("description", 1000)] {
        let too_long = quoted(&"x".repeat(most + 1));
        cases.push(broken(payment_with(field, too_long), field, "invalid_length"));
        for text in ["a\\u0000b", "a\\nb", "\\u007f", "\\u0085"] {
            cases.push(broken(payment_with(field, quoted(text)), field, "invalid_characters"));
        }
        for text in ["\\ud800", "\\udc00", "\\ud800\\ud800"] {
            cases.push(broken(payment_with(field, quoted(text)), field, "invalid_string"));
        }
        for text in ["\0", "\n", "\\x", "\\u12"] {
            cases.push(broken(payment_with(field, quoted(text)), field, "malformed"));
        }
    }
    for field in ["currency", "payment_method", "reference", "description"] {
        for value in ["1", "true", "[]", "{}", "[\"USD\"]"] {
            cases.push(broken(payment_with(field, value), field, "invalid_type"));
        }
    }
    for field in ["payment_method", "reference"] {
        cases.push(broken(payment_with(field, "\"\""), field, "invalid_length"));
    }
    fields_are_named(&database, cases).await;
}

pub async fn every_bad_field_is_named_at_once(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let body = r#"{"amount":-1,"currency":"EURO","payment_method":7,"reference":"","amount":1,
        "description":"\u0000","metadata":{"a":1},"note":"n","<script>":1}"#;
    let refused = app.pay("k", body).await;
    refused.is_refused(400, "validation_failed");
    let mut named = refused.wrong_fields();
    named.sort();
    let expected = [
        ("<script>", "unknown_field"),
        ("amount", "duplicate_field"),
        ("currency", "unknown_currency"),
        ("description", "invalid_characters"),
        ("metadata", "invalid_type"),
        ("note", "unknown_field"),
        ("payment_method", "invalid_type"),
        ("reference", "invalid_length"),
    ];
    let expected = expected.map(|(field, rule)| (field.to_owned(), rule.to_owned()));
    assert!(expected.iter().all(|one| named.contains(one)), "{named:?}");
    let others: Vec<_> = named.iter().filter(|one| !expected.contains(one)).collect();
    assert!(others.iter().all(|(field, _)| field == "amount"), "{others:?}");
    assert_eq!(app.key("k").await, None);
    app.pay("k", BODY).await.is_first();
}

pub async fn a_crowd_of_unknown_fields_is_refused_in_few_words(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let many: Vec<_> = (0..5_000).map(|at| format!("\"{at}\":1")).collect();
    let long_name = format!("{{\"amount\":1,\"{}\":1}}", "n".repeat(60_000));
    let bodies = vec![format!("{{{}}}", many.join(",")).into(), long_name.into()];
    are_refused(&app, bodies, |_, refused| {
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.body.len() < 2_000, "{}", refused.body.len());
    })
    .await;
}

pub async fn only_plain_json_is_read(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let refused = [
        ("Content-Type", ""),
        ("Content-Type", "json"),
        ("Content-Type", "text/plain"),
        ("Content-Type", "text/json"),
        ("Content-Type", "application/octet-stream"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "multipart/form-data; boundary=b"),
        ("Content-Type", "application/json; charset=iso-8859-1"),
        ("Content-Type", "application/json; charset=utf-16"),
        ("Content-Type", "application/jsonp"),
        ("Content-Encoding", "gzip"),
        ("Content-Encoding", "br"),
        ("Content-Encoding", "identity, gzip"),
    ];
    for (at, (name, value)) in refused.into_iter().enumerate() {
        let key = format!("k{at}");
        let request = app.request(Method::POST, "/payments").header("Idempotency-Key", &key);
        let request = match name {
            "Content-Type" => request.header(name, value),
            _ => request.header("Content-Type", "application/json").header(name, value),
        };
        let answer = Answer::to(request.body(BODY)).await;
        answer.is_refused(415, "unsupported_media_type");
        assert_eq!(app.key(&key).await, None, "{name}: {value}");
        app.pay(&key, BODY).await.is_first();
    }
    let missing = app.request(Method::POST, "/payments").header("Idempotency-Key", "missing");
    Answer::to(missing.body(BODY)).await.is_refused(415, "unsupported_media_type");
    for accepted in [
        "application/json;charset=utf-8",
        "Application/JSON; Charset=\"UTF-8\"",
        "application/vnd.example+json",
    ] {
        let request =
            app.request(Method::POST, "/payments").header("Idempotency-Key", accepted.len());
        let request = request.header("Content-Type", accepted).body(BODY);
        Answer::to(request).await.is_first();
    }
}

pub async fn a_path_that_there_is_none_of_is_not_found(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    for path in [
        "/nowhere",
        "/v1",
        "/v2/payments",
        "/v1/payment",
        "/V1/PAYMENTS",
        "/v1/payments/a/b",
        "/v1/payments/a/events/b",
        "/v1/idempotency-keys",
        "/v1/idempotency-keys/",
        "/%00",
        "/..%2f..%2fetc/passwd",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = Answer::to(app.request(method, path).body(BODY)).await;
            let problem = answer.is_problem(404, "route_not_found");
            assert_eq!(problem.get("safe_new_key"), None, "{path}");
        }
    }
}

pub async fn a_method_that_a_path_does_not_have_is_answered_by_those_it_has(
    database: Arc<Database>,
) {
    let app = TestApp::spawn(&database, &[]).await;
    let id = app.pay("k", BODY).await.id();
    for (path, allowed) in [
        ("/v1/payments", "GET, POST"),
        ("/v1/payments/", "GET, POST"),
        ("/payments", "POST"),
        (format!("/v1/payments/{id}").as_str(), "GET"),
        (format!("/v1/payments/{id}/events").as_str(), "GET"),
        ("/v1/idempotency-keys/k", "GET"),
        ("/healthz", "GET"),
        ("/readyz", "GET"),
    ] {
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        for method in methods {
            if allowed.split(", ").any(|one| one == method.as_str()) {
                continue;
            }
            let request = app.request(method.clone(), path).header("Idempotency-Key", "other");
            let answer = Answer::to(request.body(BODY)).await;
            answer.is_problem(405, "method_not_allowed");
            assert_eq!(answer.header("Allow"), Some(allowed), "{method} {path}");
        }
    }
    assert_eq!(app.key("other").await, None);
    app.has_paid_once().await;
}

pub async fn what_is_no_http_is_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let garbage: [&[u8]; 7] = [
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
        b"POST /v1/payments\r\n\r\n",
        b"POST /v1/payments HTTP/9.9\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nno header\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ];
    for bytes in garbage {
        let mut wire = app.connect().await;
        wire.try_send(bytes).await;
        if let Some(answer) = wire.try_answer().await {
            assert_eq!(answer.status, 400, "{}: {answer:?}", bytes.escape_ascii());
        }
    }
    let both = ["Idempotency-Key: k", "Content-Type: application/json", "Content-Length: 18"];
    let both = [&both[..], &["Transfer-Encoding: chunked"]].concat();
    let mut wire = app.connect().await;
    wire.try_send(wire::request("POST /v1/payments", &both, "0\r\n\r\n")).await;
    if let Some(answer) = wire.try_answer().await {
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    app.has_done_nothing().await;
    app.pay("k", BODY).await.is_first();
}

pub async fn too_many_and_too_large_headers_are_refused(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    // With Host, Content-Type, Content-Length and Idempotency-Key there are 96.
    let many: Vec<_> = (0..92).map(|at| format!("X-Header-{at}: 1")).collect();
    let large = format!("X-Large: {}", "x".repeat(100_000));
    for (key, headers) in [("many", many.clone()), ("large", vec![large])] {
        let key = format!("Idempotency-Key: {key}");
        let headers: Vec<_> = headers.iter().chain([&key]).map(String::as_str).collect();
        let mut wire = app.connect().await;
        wire.send(wire::payment(&headers, BODY)).await.answer().await.is_first();
    }
    assert_eq!(app.charges(), 2);

    let one_more = [&many[..], &["X-One-More: 1".to_owned()]].concat();
    // The buffer is full before the head's end has come.
    let larger = vec![format!("X-Large: {}", "x".repeat(140_000))];
    for headers in [one_more, larger] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let headers = [&["Idempotency-Key: k"], &headers[..]].concat();
        let mut wire = app.connect().await;
        wire.try_send(wire::payment(&headers, BODY)).await;
        // What is left unread may make the connection end by a reset, which overtakes the answer.
        if let Some(answer) = wire.try_answer().await {
            assert_eq!((answer.status, answer.text().as_str()), (431, ""));
            wire.is_ended().await;
        }
    }
    assert_eq!(app.charges(), 2);
    assert_eq!(app.key("k").await, None);
    app.pay("k", BODY).await.is_first();
}
