//! The span of a request: the root of its trace here, or a part of its client's trace.

use actix_web::Error;
use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use payonce_domain::account::RequestId;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::route_label::RouteLabel;

/// The middleware; does nothing where nothing is traced.
pub async fn in_request_span(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
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
    if span.is_disabled() {
        return next.call(request).await;
    }
    describe(&span, &request);
    let response = next.call(request).instrument(span.clone()).await?;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    Ok(response)
}

fn describe(span: &Span, request: &ServiceRequest) {
    let headers = ReadHeaders(request.headers());
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
    if let Err(error) = span.set_parent(parent) {
        tracing::debug!(%error, "a client's trace is not continued");
    }
    let RouteLabel { method, route } = RouteLabel::of(request);
    span.record("otel.name", format!("{method} {route}"));
    span.record("http.request.method", method);
    span.record("http.route", route);
    if let Some(request_id) = request.extensions().get::<RequestId>() {
        span.record("request_id", request_id.as_str());
    }
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
