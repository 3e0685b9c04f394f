//! `GET /openapi.json`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{Document, Endpoint, headers};
use crate::http::problem::Code;

/// The document that describes every route.
pub async fn get(document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(mime::APPLICATION_JSON)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(document.json())
}

/// How the document describes its own path.
pub fn documents() -> Vec<Endpoint> {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let endpoint = Endpoint::get("/openapi.json", "getOpenApi", "This document")
        .tag("Documentation")
        .file("application/json", object, "OpenAPI 3.1.", &[headers::CACHE_CONTROL])
        .problems(&Code::WHILE_NOT_READY);
    vec![endpoint]
}
