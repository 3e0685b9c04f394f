//! Traces of the real binary, as a collector sees them.

use std::net::{SocketAddr, TcpListener};

use payonce_testing::TestDatabase;
use rustix::process::Signal;

use crate::collector::{Collector, Span};
use crate::instances::Instance;
use crate::services::{Running, eventually, send};

/// The client's own trace, and its span that the request is a part of.
const CLIENT_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT_SPAN: &str = "00f067aa0ba902b7";

/// A gateway in a process of its own that answers at once.
const GATEWAY: [(&str, &str); 4] = [
    ("PAYONCE__GATEWAY__KIND", "simulated"),
    ("PAYONCE__FAKE_GATEWAY__FAILURE_RATE", "0"),
    ("PAYONCE__FAKE_GATEWAY__LATENCY_MIN", "0ms"),
    ("PAYONCE__FAKE_GATEWAY__LATENCY_MAX", "2ms"),
];

/// The span of that name whose parent is the other.
fn child<'a>(spans: &'a [Span], name: &str, of: &Span) -> &'a Span {
    let found = spans.iter().find(|span| span.name == name && span.parent == of.id);
    found.unwrap_or_else(|| panic!("no {name} under {of:?}: {spans:#?}"))
}

/// Whether the process has a thread that sends traces.
fn sends_traces(instance: &Instance) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", instance.id())).expect("it lives");
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .any(|name| name.starts_with("OpenTelemetry"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_one_trace_from_its_client_to_its_gateway() {
    for database in [TestDatabase::postgres(), TestDatabase::sqlite()] {
        let collector = Collector::start();
        let endpoint = collector.endpoint();
        let traced = ("PAYONCE__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str());
        let own = TestDatabase::sqlite();
        let nowhere = collector.address;
        let gateway = [GATEWAY.as_slice(), &[traced]].concat();
        let mut gateway = Instance::started(&own, nowhere, &gateway).await;
        let mut payer = Instance::started(&database, gateway.address, &[traced]).await;
        assert!(sends_traces(&payer));
        let traceparent = format!("00-{CLIENT_TRACE}-{CLIENT_SPAN}-01");
        let paid = send(
            payer
                .payment("secret-key")
                .header("traceparent", traceparent)
                .header("X-Request-Id", "r1"),
        )
        .await;
        assert_eq!(paid.status, 201);
        // What is left is sent at the end.
        for instance in [&mut payer, &mut gateway] {
            instance.signal(Signal::TERM);
            assert_eq!(instance.ends().await, Some(0));
        }

        let all = collector.spans();
        let request = all.iter().find(|span| span.parent == CLIENT_SPAN).expect("it is traced");
        assert_eq!(
            (request.name.as_str(), request.trace.as_str()),
            ("POST /payments", CLIENT_TRACE)
        );
        assert_eq!(request.attribute("service.name"), "payonce");
        assert_eq!(request.attribute("request_id"), "r1");
        assert_eq!(request.attribute("http.response.status_code"), "201");
        let [open, charge, settle] =
            ["open", "charge", "settle"].map(|name| child(&all, name, request));
        for (span, outcome) in [(open, "owned"), (charge, "approved"), (settle, "stored")] {
            assert!(span.is_within(request), "{span:?} {request:?}");
            assert_eq!(span.attribute("outcome"), outcome);
        }
        assert_eq!(settle.attribute("payment"), paid.json()["id"]);
        let at_gateway = child(&all, "POST /fake-gateway/charges", charge);
        assert_eq!(at_gateway.trace, CLIENT_TRACE);
        assert!(!format!("{all:?}").contains("secret-key"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_recovery_pays_is_a_trace_of_its_own() {
    let collector = Collector::start();
    let endpoint = collector.endpoint();
    let traced = ("PAYONCE__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str());
    let (own, database) = (TestDatabase::sqlite(), TestDatabase::postgres());
    let gateway = Running::gateway(&own, &[]).await;
    let mut payer = Instance::started(&database, gateway.address, &[traced]).await;
    let accepted = payer.accept("k").await;
    assert_eq!(accepted.status, 202);
    let location = accepted.header("location").to_owned();
    let is_paid = async || payer.status(&location).await == "COMPLETED";
    eventually("the worker has paid", is_paid).await;
    payer.signal(Signal::TERM);
    assert_eq!(payer.ends().await, Some(0));
    let all = collector.spans();
    let recover = all.iter().find(|span| span.name == "recover").expect("it is traced");
    assert_eq!(recover.parent, "");
    assert_eq!(recover.attribute("payment"), accepted.json()["id"]);
    for name in ["renew", "charge", "settle"] {
        assert!(child(&all, name, recover).is_within(recover), "{name}");
    }
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_disturbs_nobody() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = gone.local_addr().expect("it is bound");
    drop(gone);
    is_not_disturbed_by(address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_disturbs_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    is_not_disturbed_by(silent.local_addr().expect("it is bound")).await;
}

async fn is_not_disturbed_by(collector: SocketAddr) {
    let endpoint = format!("http://{collector}");
    let traced = ("PAYONCE__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str());
    let soon = ("OTEL_BSP_SCHEDULE_DELAY", "50");
    let (own, database) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    let gateway = Running::gateway(&own, &[]).await;
    let mut payer = Instance::started(&database, gateway.address, &[traced, soon]).await;
    for key in ["a", "b", "c"] {
        assert_eq!(send(payer.payment(key)).await.status, 201);
    }
    payer.signal(Signal::TERM);
    assert_eq!(payer.ends().await, Some(0));
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_nothing_is_traced() {
    let (own, database) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    let gateway = Running::gateway(&own, &[]).await;
    let payer = Instance::started(&database, gateway.address, &[]).await;
    assert_eq!(send(payer.payment("k")).await.status, 201);
    assert!(!sends_traces(&payer));
    drop(payer);
    assert!(gateway.stop().await);
}
