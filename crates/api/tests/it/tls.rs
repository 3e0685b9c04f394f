//! A listener that speaks TLS itself.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use crate::answer::Answer;
use crate::app::{BODY, Database, TestApp, eventually};
use crate::cli::run;

pub async fn a_listener_with_a_certificate_speaks_tls_and_nothing_else(database: Arc<Database>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = TempDir::new().expect("a temporary folder");
    let file = |name: &str, label: &str, der: &[u8]| {
        let path = folder.path().join(name);
        let text = STANDARD.encode(der);
        let text = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
        std::fs::write(&path, text).expect("it is written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let certificate = file("tls.crt", "CERTIFICATE", cert.der());
    let key = file("tls.key", "PRIVATE KEY", &signing_key.serialize_der());
    let variables = [
        ("PAYONCE__SERVER__TLS__CERTIFICATE", certificate.as_str()),
        ("PAYONCE__SERVER__TLS__KEY", key.as_str()),
    ];
    let app = TestApp::start(&database, database.url(), &variables);
    let root = reqwest::Certificate::from_der(cert.der()).expect("a certificate");
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
    let trusting = trusting.build().expect("a client");
    let url = format!("https://localhost:{}", app.address.port());
    eventually("it is ready", async || {
        let ready = trusting.get(format!("{url}/readyz")).send().await;
        ready.is_ok_and(|answer| answer.status() == 200).then_some(())
    })
    .await;
    let pay = || {
        let request = trusting.post(format!("{url}/v1/payments"));
        request.header("Idempotency-Key", "k").header("Content-Type", "application/json").body(BODY)
    };
    Answer::to(pay()).await.is_first();
    Answer::to(pay()).await.is_repeat();

    let port = app.address.port().to_string();
    let own = [&variables[..], &[("PORT", port.as_str())]].concat();
    let asked = run(&own, &["health"]).await;
    assert_eq!(asked.code, Some(0), "{}", asked.err);

    let strange = reqwest::Client::builder().no_proxy().build().expect("a client");
    let untrusted = strange.get(format!("{url}/healthz")).send().await;
    assert!(untrusted.is_err_and(|error| error.is_connect()), "nobody vouches for it");
    let plain = strange.get(format!("http://localhost:{}/healthz", app.address.port()));
    assert!(plain.send().await.is_err(), "it speaks nothing else");
}
