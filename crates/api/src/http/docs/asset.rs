//! `GET /docs/{file}`.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};
use utoipa_swagger_ui::Config;

use crate::http::openapi::{Endpoint, headers, parameters, values};
use crate::http::problem::{Code, Problem};

/// What the page asks for; Swagger UI has more files, and pages of its own among them.
const FILES: [(&str, &str); 4] = [
    ("favicon-32x32.png", "image/png"),
    ("start.js", "text/javascript"),
    ("swagger-ui-bundle.js", "text/javascript"),
    ("swagger-ui.css", "text/css"),
];
const START: &str = include_str!("start.js");

/// A file of the page.
pub async fn asset(file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let none = || Problem::new(Code::RouteNotFound);
    let known = FILES.into_iter().find(|(name, _)| *name == file.as_str());
    let (name, media_type) = known.ok_or_else(none)?;
    let bytes = match name {
        "start.js" => web::Bytes::from_static(START.as_bytes()),
        _ => bundled(name).ok_or_else(none)?,
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // A new version of the service may bring another one.
        .insert_header((CACHE_CONTROL, "max-age=3600"))
        .body(bytes))
}

/// A file of Swagger UI, from the binary.
fn bundled(name: &str) -> Option<web::Bytes> {
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::default())).ok()??;
    Some(match file.bytes {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    })
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let file = values::names(FILES.map(|(name, _)| name));
    let always = [headers::CACHE_CONTROL, headers::X_CONTENT_TYPE_OPTIONS];
    Endpoint::get("/docs/{file}", "getDocsFile", "A file of that page")
        .tag("Documentation")
        .parameter(parameters::path("file", "Its name.", file))
        .file("text/javascript", values::string(), "A script.", &always)
        .file("text/css", values::string(), "A style sheet.", &always)
        .file("image/png", values::string(), "An image.", &always)
        .problems(&Code::WHILE_NOT_READY)
        .problems(&[Code::RouteNotFound])
}
