//! `GET /docs`.

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

use crate::http::openapi::{Endpoint, headers, values};
use crate::http::problem::Code;

const HTML: &str = include_str!("page.html");

/// The page talks to the service it came from and to nobody else. Swagger UI draws its icons from
/// `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Swagger UI on the service's own document.
pub async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, mime::TEXT_HTML_UTF_8))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(HTML)
}

/// How the document describes it.
pub fn document() -> Endpoint {
    let always = [
        headers::CACHE_CONTROL,
        headers::CONTENT_SECURITY_POLICY,
        headers::REFERRER_POLICY,
        headers::X_CONTENT_TYPE_OPTIONS,
    ];
    Endpoint::get("/docs", "getDocs", "This document as a page")
        .tag("Documentation")
        .file("text/html", values::string(), "Swagger UI.", &always)
        .problems(&Code::WHILE_NOT_READY)
}
