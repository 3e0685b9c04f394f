//! What is sent, and to whom.

use payonce_adapters::gateway::HttpGateway;
use payonce_domain::gateway::{ChargeOutcome, GatewayIdentity};
use payonce_domain::ports::PaymentGateway;
use secrecy::SecretString;

use crate::scripted::{KEY, REQUEST, Server, charge, error, gateway, json, settings};

#[tokio::test]
async fn a_charge_carries_its_key_and_its_bytes_unchanged() {
    let server = Server::start(json(201, &charge("approved"))).await;
    let gateway = server.gateway();
    for _ in 0..2 {
        gateway.charge(KEY, REQUEST).await;
    }
    let received = server.received();
    assert_eq!(received.len(), 2);
    for request in received {
        let (head, body) = request.split_once("\r\n\r\n").expect("a whole request");
        assert!(head.starts_with("POST /base/charges HTTP/1.1\r\n"), "{head}");
        let head = head.to_ascii_lowercase();
        assert!(head.contains(&format!("\r\nidempotency-key: {KEY}\r\n")), "{head}");
        assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
        assert!(!head.contains("authorization"), "{head}");
        assert_eq!(body.as_bytes(), REQUEST);
    }
}

#[tokio::test]
async fn look_up_and_void_name_the_key_and_send_no_body() {
    let server = Server::start(error(404, "not_found")).await;
    let gateway = server.gateway();
    gateway.look_up(KEY, REQUEST).await;
    gateway.void(KEY, REQUEST).await;
    let received = server.received();
    let expected = [
        format!("GET /base/charges/{KEY} HTTP/1.1"),
        format!("POST /base/charges/{KEY}/void HTTP/1.1"),
    ];
    for (request, line) in received.iter().zip(&expected) {
        let (head, body) = request.split_once("\r\n\r\n").expect("a whole request");
        assert_eq!((head.lines().next(), body), (Some(line.as_str()), ""));
    }
    assert_eq!(received.len(), expected.len());
}

#[tokio::test]
async fn the_token_goes_with_every_request() {
    let server = Server::start(error(401, "unauthorized")).await;
    let mut settings = settings(&server.gateway().identity().base_url);
    settings.token = Some(SecretString::from("sesame"));
    let gateway = HttpGateway::new(&settings).expect("it is built");
    gateway.charge(KEY, REQUEST).await;
    gateway.look_up(KEY, REQUEST).await;
    gateway.void(KEY, REQUEST).await;
    let received = server.received();
    assert_eq!(received.len(), 3);
    for request in received {
        assert!(request.contains("authorization: Bearer sesame\r\n"), "{request}");
    }
    settings.token = Some(SecretString::from("no\nheader"));
    assert!(HttpGateway::new(&settings).is_err());
}

#[tokio::test]
async fn a_stored_request_of_another_version_is_never_sent() {
    let server = Server::start(json(201, &charge("approved"))).await;
    let outcome = server.gateway().charge(KEY, b"charge").await;
    assert!(matches!(outcome, ChargeOutcome::Unknown { .. }), "{outcome:?}");
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn an_identity_does_not_depend_on_how_the_url_is_spelled() {
    for base_url in ["http://Pay.Example:80/v1", "http://pay.example/v1/", "HTTP://pay.example/v1"]
    {
        let identity = gateway(base_url).identity();
        let expected = GatewayIdentity {
            kind: "http".into(),
            base_url: "http://pay.example/v1".into(),
            account: "".into(),
        };
        assert_eq!(identity, expected, "{base_url}");
    }
}
