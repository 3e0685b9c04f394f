//! The document that describes the interface.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use actix_web::introspection::IntrospectionTree;
use actix_web::test::{TestRequest, call_and_read_body_json, init_service};
use actix_web::{App, HttpResponse, web};
use payonce_api::http::{Document, routes};
use payonce_api::wiring::Service;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::app::{Database, TestApp, eventually, settings};

/// A method of a path.
type Route = (String, String);

/// The routes that the framework knows, as it tells itself; in the document's spelling.
async fn registered(plays_gateway: bool) -> BTreeSet<Route> {
    let enabled = [("PAYONCE__FAKE_GATEWAY__ENABLED", plays_gateway.to_string())];
    let enabled = enabled.each_ref().map(|(name, value)| (*name, value.as_str()));
    let variables = [&[("DATABASE_URL", "sqlite://unused.db")], enabled.as_slice()].concat();
    let service = Service::new(&settings(&variables)).expect("it is built");
    let tell = |tree: web::Data<IntrospectionTree>| async move {
        HttpResponse::Ok().body(tree.report_as_json())
    };
    let gateway = service.api.fake_gateway;
    let app = App::new().configure(|config| routes(config, gateway.as_ref()));
    let app = init_service(app.default_service(web::to(tell))).await;
    let asked = TestRequest::with_uri("/tell").to_request();
    let report: Vec<Value> = call_and_read_body_json(&app, asked).await;
    let resources = report.iter().filter(|item| item["resource_type"] == "resource");
    resources
        .flat_map(|item| {
            let path = item["full_path"].as_str().expect("a path").replace(":.+}", "}");
            let methods = item["methods"].as_array().expect("its methods").clone();
            assert!(!methods.is_empty(), "{path} takes any method, and the document cannot say so");
            methods
                .into_iter()
                .map(move |method| (path.clone(), method.as_str().expect("a method").to_owned()))
        })
        .collect()
}

/// The routes that the document describes.
fn described(plays_gateway: bool) -> BTreeSet<Route> {
    let document = Document::new(plays_gateway, false).expect("it is written");
    let document: Value = serde_json::from_slice(&document.json()).expect("it is JSON");
    let paths = document["paths"].as_object().expect("paths");
    let methods = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("its methods").keys();
        methods.map(|method| (path.clone(), method.to_uppercase()))
    });
    methods.collect()
}

#[actix_web::test]
async fn every_route_is_described_and_every_described_route_is_there() {
    for plays_gateway in [true, false] {
        let described = described(plays_gateway);
        assert_eq!(described.iter().any(|(path, _)| path.starts_with("/fake")), plays_gateway);
        let with_and_without_slash = |(path, method): &Route| {
            [path.clone(), format!("{path}/")].map(|path| (path, method.clone()))
        };
        let described: BTreeSet<_> = described.iter().flat_map(with_and_without_slash).collect();
        let registered = registered(plays_gateway).await;
        let undescribed: Vec<_> = registered.difference(&described).collect();
        let missing: Vec<_> = described.difference(&registered).collect();
        assert!(undescribed.is_empty(), "no document describes {undescribed:?}");
        assert!(missing.is_empty(), "there is no {missing:?}, or not with and without its slash");
    }
}

pub async fn the_document_is_served_as_it_describes_itself(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let document = app.get("/openapi.json").await;
    assert_eq!(document.is(200).header("Content-Type"), Some("application/json"));
    assert_eq!(document.json()["openapi"], "3.1.0");
    assert!(document.json()["paths"]["/openapi.json"]["get"]["responses"]["200"].is_object());
    for path in ["/openapi.json", "/openapi.json/"] {
        assert_eq!(app.get(path).await.is(200).body, document.body, "{path}");
    }
}

pub async fn whoever_asks_too_often_is_told_so_as_the_document_says(database: Arc<Database>) {
    let one_at_a_time =
        [("PAYONCE__RATE_LIMIT__PER_SECOND", "1"), ("PAYONCE__RATE_LIMIT__BURST", "1")];
    let app = TestApp::spawn(&database, &one_at_a_time).await;
    let document = app.get("/openapi.json").await.json();
    let (mut counted, mut others) = (0, 0);
    for (path, method) in described(true) {
        let operation = &document["paths"][&path][method.to_lowercase()];
        let spelled = path.replace(['{', '}'], "");
        let method: Method = method.parse().expect("a method");
        let ask = async || Answer::to(app.request(method.clone(), &spelled)).await;
        let contents = &operation["responses"]["429"]["content"];
        let limited = contents.as_object().and_then(|contents| contents.iter().next());
        let limited = limited.map(|(media, content)| (media, &content["examples"]["rate_limited"]));
        let Some((media_type, Value::Object(example))) = limited else {
            app.get("/v1/payments").await;
            assert_ne!(ask().await.status, 429, "{method} {path}");
            others += 1;
            continue;
        };
        let refused = eventually("it is refused", async || {
            let answer = ask().await;
            (answer.status == 429).then_some(answer)
        })
        .await;
        assert_eq!(refused.header("Content-Type"), Some(media_type.as_str()), "{method} {path}");
        let mut expected = example["value"].clone();
        if let Some(id) = expected.get_mut("request_id") {
            *id = json!(refused.header("X-Request-Id"));
        }
        assert_eq!(refused.json(), expected, "{method} {path}");
        counted += 1;
    }
    assert!(counted >= 11 && others >= 11, "{counted} and {others}");
}

pub async fn the_page_needs_nothing_but_the_service(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let page = app.get("/docs").await;
    assert_eq!(page.is(200).header("Content-Type"), Some("text/html; charset=utf-8"));
    let policy = page.header("Content-Security-Policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    assert_eq!(app.get("/docs/").await.is(200).body, page.body);

    let html = page.text();
    let links = html.split(&[' ', '>']).filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        ["src", "href"].contains(&name).then(|| value.trim_matches('"').to_owned())
    });
    let links: Vec<_> = links.collect();
    assert_eq!(links.len(), 5, "{links:?}");
    for link in links {
        assert!(link.starts_with('/') && !link.starts_with("//"), "{link} is elsewhere");
        let file = app.get(&link).await;
        assert!(!file.is(200).body.is_empty(), "{link}");
    }
    app.get("/docs/swagger-ui.js").await.is_problem(404, "route_not_found");
}

pub async fn a_text_has_as_many_characters_as_the_document_says(database: Arc<Database>) {
    let app = TestApp::spawn(&database, &[]).await;
    let document = app.get("/openapi.json").await.json();
    let properties = &document["components"]["schemas"]["NewPayment"]["properties"];
    for field in ["payment_method", "reference", "description"] {
        let longest = properties[field]["maxLength"].as_u64().expect("a bound");
        let text = "é".repeat(usize::try_from(longest).expect("it is short"));
        let body = |text: &str| json!({"amount": 1, field: text}).to_string();
        app.pay(&format!("{field}-fits"), body(&text)).await.is_first();
        let refused = app.pay("too-long", body(&format!("{text}é"))).await;
        refused.is_refused(400, "validation_failed");
        assert_eq!(refused.wrong_fields(), [(field.to_owned(), "invalid_length".to_owned())]);
    }

    let of = &properties["metadata"];
    let bound = |bound: &Value| usize::try_from(bound.as_u64().expect("a bound")).expect("short");
    let most = bound(&of["maxProperties"]);
    let name = bound(&of["propertyNames"]["maxLength"]);
    let value = "é".repeat(bound(&of["additionalProperties"]["maxLength"]));
    let body = |pairs: usize, name: usize, value: &str| {
        let pairs = (0..pairs).map(|number| (format!("{number:é>name$}"), value));
        json!({"amount": 1, "metadata": pairs.collect::<HashMap<_, _>>()}).to_string()
    };
    app.pay("metadata-fits", body(most, name, &value)).await.is_first();
    for body in [
        body(most + 1, name, &value),
        body(1, name + 1, &value),
        body(1, name, &format!("{value}é")),
    ] {
        let refused = app.pay("too-long", body).await;
        let expected = ("metadata".to_owned(), "invalid_metadata".to_owned());
        refused.is_refused(400, "validation_failed");
        assert_eq!(refused.wrong_fields(), [expected]);
    }
}
