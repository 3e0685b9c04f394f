//! A service and its gateway in a few lines, that keep their promises but for the one they are told to
//! break.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

/// What the stub does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Nothing.
    Nothing,
    /// A repeat charges again and gets the first answer.
    ChargesRepeats,
    /// A repeat is another payment, with an answer of its own.
    PaysRepeats,
    /// A repeat gets its answer in other bytes.
    RespellsAnswers,
    /// Another amount under a known key is paid.
    PaysOtherAmounts,
    /// Nothing is charged, whatever the answer says.
    ChargesNothing,
    /// What was charged is called failed.
    CallsPaidFailed,
    /// What was accepted stays so.
    NeverSettles,
    /// It has no such route.
    KnowsNoPayments,
    /// Everybody is refused once, and has to wait a second: nothing wrong with that.
    Throttles,
    /// Nobody is let in without a key.
    WantsAKey,
}

/// A payment as the stub keeps it.
struct Payment {
    request: String,
    answer: (u16, String),
}

#[derive(Default)]
struct Kept {
    payments: HashMap<String, Payment>,
    throttled: HashMap<String, Instant>,
    /// Requests that came before the pause was over that they had been asked for.
    hasty: usize,
    charges: Vec<String>,
    made: u32,
}

struct State {
    broken: Break,
    kept: Mutex<Kept>,
}

impl State {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stub, for as long as it is kept.
pub struct Stub {
    pub url: String,
    state: Arc<State>,
    server: ServerHandle,
}

impl Stub {
    pub fn that(broken: Break) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State { broken, kept: Mutex::default() });
        let shared = web::Data::from(Arc::clone(&state));
        let app = move || {
            App::new()
                .app_data(shared.clone())
                .route("/v1/payments", web::get().to(list))
                .route("/v1/payments", web::post().to(pay))
                .route("/gateway/charges", web::get().to(books))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.listen(listener).expect("it listens").run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url: format!("http://{address}"), state, server: handle }
    }

    /// Where its gateway is.
    pub fn gateway(&self) -> String {
        format!("{}/gateway/", self.url)
    }

    /// How many payments it was asked for.
    pub fn payments(&self) -> usize {
        self.state.kept().payments.len()
    }

    /// How many requests came earlier than they had been asked to.
    pub fn hasty(&self) -> usize {
        self.state.kept().hasty
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn list(state: web::Data<State>) -> HttpResponse {
    match state.broken {
        Break::WantsAKey => HttpResponse::Unauthorized().finish(),
        _ => HttpResponse::Ok().json(json!({"data": [], "next_cursor": null})),
    }
}

async fn books(state: web::Data<State>) -> HttpResponse {
    let kept = state.kept();
    let charges = kept.charges.iter();
    let charges = charges.map(|token| json!({"status": "approved", "payment_method": token}));
    HttpResponse::Ok().json(json!({"data": charges.collect::<Vec<_>>(), "next_cursor": null}))
}

async fn pay(state: web::Data<State>, request: HttpRequest, body: String) -> HttpResponse {
    let key = request.headers().get("Idempotency-Key").expect("every payment has a key");
    let key = key.to_str().expect("it is text").to_owned();
    let command: Value = serde_json::from_str(&body).expect("it is JSON");
    let token = command["payment_method"].as_str().expect("it has a token").to_owned();
    let mut kept = state.kept();
    let (broken, now) = (state.broken, Instant::now());
    match broken {
        Break::KnowsNoPayments => return HttpResponse::NotFound().finish(),
        Break::NeverSettles => {
            let unsettled = || Payment { request: body.clone(), answer: (202, String::new()) };
            let known = kept.payments.entry(key).or_insert_with(unsettled);
            return match known.request == body {
                true => HttpResponse::Accepted().finish(),
                false => HttpResponse::UnprocessableEntity().finish(),
            };
        }
        Break::Throttles => match kept.throttled.insert(key.clone(), now) {
            None => {
                return HttpResponse::TooManyRequests()
                    .insert_header(("Retry-After", "1"))
                    .finish();
            }
            Some(before) if now - before < Duration::from_secs(1) => kept.hasty += 1,
            Some(_) => {}
        },
        _ => {}
    }
    kept.made += 1;
    let number = kept.made;
    let Some(known) = kept.payments.get(&key) else {
        let status = if broken == Break::CallsPaidFailed { 502 } else { 201 };
        let answer = json!({"id": format!("p-{number}"), "code": "gateway_error"}).to_string();
        let payment = Payment { request: body, answer: (status, answer.clone()) };
        kept.payments.insert(key, payment);
        if broken != Break::ChargesNothing {
            kept.charges.push(token);
        }
        return told(status, answer, false);
    };
    let (status, mut answer) = known.answer.clone();
    match broken {
        Break::PaysOtherAmounts if known.request != body => {}
        _ if known.request != body => {
            return HttpResponse::UnprocessableEntity()
                .json(json!({"code": "idempotency_key_reused"}));
        }
        Break::ChargesRepeats => kept.charges.push(token),
        Break::PaysRepeats => {
            kept.charges.push(token);
            answer = json!({"id": format!("p-{number}")}).to_string();
        }
        Break::RespellsAnswers => answer.push('\n'),
        _ => {}
    }
    told(status, answer, true)
}

fn told(status: u16, body: String, is_replay: bool) -> HttpResponse {
    let status = status.try_into().expect("a status");
    HttpResponse::build(status)
        .insert_header(("Content-Type", "application/json"))
        .insert_header(("Location", "/v1/payments/1"))
        .insert_header(("Idempotent-Replayed", is_replay.to_string()))
        .body(body)
}
