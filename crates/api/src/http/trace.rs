//! The span of a request: the root of its trace here, or a part of its client's trace.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use payonce_domain::account::RequestId;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::route_label::RouteLabel;

/// The span of a request; none where nothing is traced.
pub fn span_of(request: &ServiceRequest, label: &RouteLabel, request_id: &RequestId) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = Empty,
        http.route = Empty,
        http.response.status_code = Empty,
        request_id = Empty,
    );
    if !span.is_disabled() {
        describe(&span, request, label, request_id);
    }
    span
}

/// Notes the answer.
pub fn answered(span: &Span, response: &ServiceResponse<BoxBody>) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

fn describe(span: &Span, request: &ServiceRequest, label: &RouteLabel, request_id: &RequestId) {
    let headers = ReadHeaders(request.headers());
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
    if let Err(error) = span.set_parent(parent) {
        tracing::debug!(%error, "a client's trace is not continued");
    }
    let RouteLabel { method, route } = label;
    span.record("otel.name", format!("{method} {route}"));
    span.record("http.request.method", method);
    span.record("http.route", route.as_str());
    span.record("request_id", request_id.as_str());
}

struct ReadHeaders<'a>(&'a HeaderMap);

impl Extractor for ReadHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
