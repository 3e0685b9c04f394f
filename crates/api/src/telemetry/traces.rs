//! Traces: the service's own spans, sent in batches to a collector by OTLP over HTTP.
//!
//! Spans wait in a bounded queue and are dropped when it is full: a collector that is slow or gone
//! costs traces and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, global};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::is_own_span;
use crate::settings::{CollectorUrl, SettingsError};
use crate::wiring::choose_cryptography;

/// The longest time for one batch to get through.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time at the end for what is left.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Traces on their way to a collector. Dropping it sends what is left.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Prepares the way; the collector need not be there.
    pub(super) fn start(endpoint: &CollectorUrl, runtime: &Handle) -> Result<Self, SettingsError> {
        let wrong =
            |error: String| SettingsError::new(vec![format!("telemetry.otlp_endpoint: {error}")]);
        let url = endpoint.traces();
        let courier = Courier::new(url.scheme() == "http", runtime.clone())
            .map_err(|error| wrong(error.to_string()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(courier)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url.as_str())
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let resource = Resource::builder()
            .with_service_name("payonce")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
        global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self(provider.build()))
    }

    /// Turns the service's own spans into traces.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("payonce"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(is_own_span).with_max_level_hint(LevelFilter::INFO))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(cause = %error, "some traces were lost at the end");
        }
    }
}

/// Sends from a thread that has no runtime of its own.
#[derive(Debug)]
struct Courier {
    client: reqwest::Client,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl Courier {
    fn new(is_plain: bool, runtime: Handle) -> reqwest::Result<Self> {
        choose_cryptography();
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(EXPORT_TIMEOUT);
        if is_plain {
            // Plain HTTP must not depend on root certificates being installed.
            client = client.tls_certs_only([]);
        }
        Ok(Self { client: client.build()?, runtime, is_failing: AtomicBool::new(false) })
    }

    /// Says once that the collector is out of reach, and once that it is back.
    fn note(&self, failure: Option<&HttpError>) {
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(cause) if !was_failing => {
                tracing::warn!(cause = chain(cause.as_ref()), "traces do not get through");
            }
            None if was_failing => tracing::info!("traces get through again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let request = reqwest::Request::try_from(request)?;
            let answer = client.execute(request).await?.error_for_status()?;
            let status = answer.status();
            Ok::<_, HttpError>(Response::builder().status(status).body(answer.bytes().await?)?)
        });
        let answer = sending.await.map_err(HttpError::from).flatten();
        self.note(answer.as_ref().err());
        answer
    }
}

/// An error with what lies behind it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words = format!("{words}: {cause}");
        next = cause.source();
    }
    words
}
