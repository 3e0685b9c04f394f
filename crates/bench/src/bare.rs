//! The least that a handler of payments could do: read the key, parse the body, hash it, answer
//! with as many bytes as a payment has. It stores nothing; replays are measured against it.

use std::net::Ipv4Addr;

use actix_web::http::header::LOCATION;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Args;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::Failure;

/// Where it listens.
#[derive(Debug, Args)]
pub struct Bare {
    /// The port on this machine.
    #[arg(long, env = "PORT")]
    port: u16,
    /// Threads that serve; 0 means one for each core, as in the service.
    #[arg(long, default_value_t = 0)]
    workers: usize,
}

/// What the measured requests say.
#[derive(Debug, Deserialize)]
struct Payment<'a> {
    amount: &'a str,
    currency: &'a str,
    payment_method: &'a str,
    description: &'a str,
}

impl Bare {
    /// Serves until the process ends.
    pub async fn serve(&self) -> Result<(), Failure> {
        let server = HttpServer::new(|| {
            App::new()
                .route("/readyz", web::get().to(HttpResponse::Ok))
                .route("/healthz", web::get().to(HttpResponse::Ok))
                .route("/v1/payments", web::post().to(answer))
        });
        let server = match self.workers {
            0 => server,
            workers => server.workers(workers),
        };
        Ok(server.bind((Ipv4Addr::LOCALHOST, self.port))?.run().await?)
    }
}

async fn answer(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok());
    let (Some(key), Ok(payment)) = (key, serde_json::from_slice::<Payment<'_>>(&body)) else {
        return HttpResponse::BadRequest().finish();
    };
    let hash = Sha256::digest(&body);
    // The hash decides about a byte, so that nobody leaves it out.
    let status = if hash.first() == Some(&0) { "COMPLETED" } else { "Completed" };
    let Payment { amount, currency, payment_method, description } = payment;
    HttpResponse::Created()
        .content_type("application/json")
        .insert_header((LOCATION, "/v1/payments/01a1fdeb-6164-7700-8874-1b49e96ad766"))
        .insert_header(("idempotency-key", key))
        .body(format!(
            r#"{{"id":"01a1fdeb-6164-7700-8874-1b49e96ad766","status":"{status}","amount":"{amount}","currency":"{currency}","payment_method":"{payment_method}","reference":null,"description":"{description}","metadata":{{}},"gateway":"simulated","gateway_reference":"ch_3f902a6c28a5826e89c54f03627f06a5","attempts":1,"failure":null,"created_at":"2026-11-21T11:43:43.973786Z","completed_at":"2026-11-21T11:43:44.028400Z"}}"#
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::{TestRequest, call_service, init_service};

    const BODY: &str = r#"{"amount":"100.00","currency":"USD","payment_method":"pm_card_visa","description":"Two books and a pen, gift wrapped."}"#;

    async fn status_of(request: TestRequest) -> u16 {
        let app = App::new().route("/v1/payments", web::post().to(answer));
        let app = init_service(app).await;
        call_service(&app, request.uri("/v1/payments").to_request()).await.status().as_u16()
    }

    #[actix_web::test]
    async fn the_measured_request_is_accepted() {
        let request = TestRequest::post().insert_header(("idempotency-key", "k"));
        assert_eq!(status_of(request.set_payload(BODY)).await, 201);
    }

    #[actix_web::test]
    async fn a_request_without_a_key_or_with_another_body_is_refused() {
        assert_eq!(status_of(TestRequest::post().set_payload(BODY)).await, 400);
        let request = TestRequest::post().insert_header(("idempotency-key", "k"));
        assert_eq!(status_of(request.set_payload("{}")).await, 400);
    }

    #[test]
    fn the_measured_body_is_the_one_of_the_load() {
        assert!(include_str!("../load/payments.lua").contains(BODY));
    }
}
