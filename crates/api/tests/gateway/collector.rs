//! A collector of traces: takes spans by OTLP over HTTP and keeps them.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{App, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;

/// A span as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub name: String,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub attributes: Vec<(String, String)>,
    began: u64,
    ended: u64,
}

impl Span {
    /// An attribute that must be there.
    pub fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {self:?}"), |(_, value)| value)
    }

    /// It began and ended within the other.
    pub fn is_within(&self, other: &Self) -> bool {
        self.trace == other.trace && other.began <= self.began && self.ended <= other.ended
    }
}

type Spans = Arc<Mutex<Vec<Span>>>;

/// The collector.
pub struct Collector {
    pub address: SocketAddr,
    spans: Spans,
}

impl Collector {
    /// Listens until the test ends.
    pub fn start() -> Self {
        let spans = Spans::default();
        let shared = web::Data::new(Arc::clone(&spans));
        let app = move || {
            App::new().app_data(shared.clone()).route("/v1/traces", web::post().to(receive))
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let server = HttpServer::new(app).workers(1).disable_signals();
        tokio::spawn(server.listen(listener).expect("it listens").run());
        Self { address, spans }
    }

    /// Where spans are sent, as a setting.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn receive(spans: web::Data<Spans>, body: web::Bytes) -> HttpResponse {
    let Ok(sent) = ExportTraceServiceRequest::decode(body) else {
        return HttpResponse::BadRequest().finish();
    };
    let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
    for resource in sent.resource_spans {
        let about = resource.resource.unwrap_or_default().attributes;
        let about: Vec<_> = about.into_iter().map(attribute).collect();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let own = span.attributes.into_iter().map(attribute);
            spans.push(Span {
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: about.iter().cloned().chain(own).collect(),
                began: span.start_time_unix_nano,
                ended: span.end_time_unix_nano,
            });
        }
    }
    HttpResponse::Ok().finish()
}

fn attribute(pair: opentelemetry_proto::tonic::common::v1::KeyValue) -> (String, String) {
    let value = match pair.value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    (pair.key, value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
