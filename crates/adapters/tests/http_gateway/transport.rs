//! Connections that do not come about, break, or say too much.

use std::time::{Duration, Instant};

use payonce_domain::gateway::{ChargeOutcome, LookUpOutcome, VoidOutcome};
use payonce_domain::ports::PaymentGateway;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::scripted::{
    KEY, REQUEST, Script, Server, answer, bytes, charge, charging, gateway, json, looking_up,
    voiding,
};

const JSON: &str = "Content-Type: application/json\r\n";

fn is_not_executed(outcome: &ChargeOutcome) -> bool {
    matches!(outcome, ChargeOutcome::Unreachable { .. })
}

fn is_unknown(outcome: &ChargeOutcome) -> bool {
    matches!(outcome, ChargeOutcome::Unknown { .. })
}

/// What breaks in the middle proves nothing, whatever was asked.
async fn proves_nothing(script: Script) {
    let charged = charging(script.clone()).await;
    assert!(is_unknown(&charged), "{charged:?}");
    let found = looking_up(script.clone()).await;
    assert!(matches!(found, LookUpOutcome::Nothing { .. }), "{found:?}");
    let voided = voiding(script).await;
    assert!(matches!(voided, VoidOutcome::Nothing { .. }), "{voided:?}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_executed_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = closed.local_addr().expect("it is bound");
    drop(closed);
    let nobody = gateway(&format!("http://{address}"));
    let refused = nobody.charge(KEY, REQUEST).await;
    assert!(is_not_executed(&refused), "{refused:?}");
    let found = nobody.look_up(KEY, REQUEST).await;
    assert!(matches!(found, LookUpOutcome::Nothing { .. }), "{found:?}");
    let voided = nobody.void(KEY, REQUEST).await;
    assert!(matches!(voided, VoidOutcome::Nothing { .. }), "{voided:?}");

    let unnamed = gateway("http://gateway.invalid").charge(KEY, REQUEST).await;
    assert!(is_not_executed(&unnamed), "{unnamed:?}");
}

#[tokio::test]
async fn a_gateway_that_cannot_be_trusted_executed_nothing() {
    // One that is no TLS server at all.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _refused = stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let outcome = gateway(&format!("https://{address}")).charge(KEY, REQUEST).await;
    assert!(is_not_executed(&outcome), "{outcome:?}");

    // One whose certificate nobody vouches for.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let acceptor = self_signed("localhost");
    let handshakes = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("somebody comes");
        acceptor.accept(stream).await.map(|_| ())
    });
    let outcome = gateway(&format!("https://localhost:{port}")).charge(KEY, REQUEST).await;
    let ChargeOutcome::Unreachable { reason } = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("certificate"), "{reason}");
    handshakes.await.expect("it ends").expect_err("the client leaves");
}

fn self_signed(host: &str) -> TlsAcceptor {
    payonce_adapters::tls::choose_cryptography();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([host.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("they fit");
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_connection_that_is_accepted_and_dropped_proves_nothing() {
    let outcome = charging(Script::Refuse).await;
    assert!(is_unknown(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_proves_nothing() {
    let whole = bytes(201, JSON, &charge("approved"));
    for length in [0, 10, 40, whole.len() - 1] {
        let part = whole.get(..length).expect("it is shorter").to_vec();
        proves_nothing(Script::Send(part.clone())).await;
        proves_nothing(Script::SendAndReset(part)).await;
    }
    let endless = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n";
    proves_nothing(Script::Send(endless.to_vec())).await;
}

#[tokio::test]
async fn what_is_no_http_proves_nothing() {
    for garbage in ["\0\0\0\0\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 999999 OK\r\n\r\n"] {
        proves_nothing(Script::Send(garbage.as_bytes().to_vec())).await;
    }
}

#[tokio::test]
async fn an_interim_answer_alone_proves_nothing() {
    for interim in ["100 Continue", "103 Early Hints"] {
        let head = format!("HTTP/1.1 {interim}\r\n\r\n");
        proves_nothing(Script::Send(head.clone().into_bytes())).await;
        let with_end = [head.into_bytes(), bytes(201, JSON, &charge("approved"))].concat();
        let outcome = charging(Script::Send(with_end)).await;
        assert!(matches!(outcome, ChargeOutcome::Approved(_)), "{interim}: {outcome:?}");
    }
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    proves_nothing(Script::Send(switching.as_bytes().to_vec())).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(json(200, &charge("approved"))).await;
    let target = elsewhere.gateway();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/charges\r\n", target_url(&target));
        proves_nothing(answer(status, &location, "")).await;
    }
    assert!(elsewhere.received().is_empty());
}

fn target_url(gateway: &impl PaymentGateway) -> String {
    gateway.identity().base_url.to_string()
}

#[tokio::test]
async fn an_answer_is_read_to_64_kib_and_no_further() {
    let padded = |length: usize| {
        let body = charge("approved");
        let padding = " ".repeat(length - body.len());
        json(200, &format!("{body}{padding}"))
    };
    let largest = charging(padded(64 * 1024)).await;
    assert!(matches!(largest, ChargeOutcome::Approved(_)), "{largest:?}");
    proves_nothing(padded(64 * 1024 + 1)).await;
    let began = Instant::now();
    proves_nothing(padded(10 * 1024 * 1024)).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    let refusal = charging(answer(429, "", &" ".repeat(10 * 1024 * 1024))).await;
    assert!(is_unknown(&refusal), "what cannot be read proves nothing: {refusal:?}");
}

#[tokio::test]
async fn a_drip_is_ended_by_the_callers_patience() {
    let whole = bytes(201, JSON, &charge("approved"));
    for drip in [whole.clone(), whole.iter().take(60).copied().collect()] {
        let server = Server::start(Script::Drip(drip, Duration::from_millis(50))).await;
        let gateway = server.gateway();
        let call = gateway.charge(KEY, REQUEST);
        timeout(Duration::from_millis(300), call).await.expect_err("it is slow");
        // The gateway is as good as before.
        assert_eq!(server.received().len(), 1);
    }
}
