//! Measures every request: how long it took, by what became of it.
//!
//! Sees an answer before problems are spelt, so that it knows which one it was.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use super::header_names::IDEMPOTENT_REPLAYED;
use super::problem::Problem;
use super::route_label::{PAYMENT_ROUTES, RouteLabel};
use crate::telemetry::Metrics;

const REQUESTS: &str = "payment_requests_total";
const FAILED: &str = "payment_requests_failed";
const DURATION: &str = "payonce_http_request_duration_seconds";
const IN_FLIGHT: &str = "payonce_http_requests_in_flight";
const REPLAYS: &str = "payonce_replays_total";
const MISMATCHES: &str = "payonce_mismatches_total";
const CONFLICTS: &str = "payonce_conflicts_total";
const RATE_LIMITED: &str = "payonce_rate_limited_total";

/// Counters of what clients ask for.
pub struct RequestMetrics {
    metrics: Arc<Metrics>,
    gateway: String,
    requests: Counter,
    failed: Counter,
    rate_limited: Counter,
    in_flight: Gauge,
    /// What was found before for the same words, which are few.
    found: RwLock<HashMap<Words, Recorders>>,
}

/// The words by which a request is measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Words {
    label: RouteLabel,
    status: &'static str,
    outcome: &'static str,
}

/// Where a request with these words is recorded.
struct Recorders {
    duration: Histogram,
    counted: Option<Counter>,
}

impl Recorders {
    fn record(&self, took: Duration) {
        self.duration.record(took);
        if let Some(counted) = &self.counted {
            counted.increment(1);
        }
    }
}

impl RequestMetrics {
    /// Begins at zero; `gateway` is the kind of gateway that payments are made at.
    pub fn new(metrics: Arc<Metrics>, gateway: &str) -> Self {
        let (requests, failed, rate_limited, in_flight) = metrics.record(|| {
            describe_counter!(
                RATE_LIMITED,
                "Requests refused because their client asked too often."
            );
            describe_counter!(REQUESTS, "Requests to create a payment, repeats included.");
            describe_counter!(
                FAILED,
                "Requests to create a payment answered by a status of 500 or more."
            );
            describe_histogram!(DURATION, "How long a request took, by what became of it.");
            describe_gauge!(IN_FLIGHT, "Requests under way.");
            describe_counter!(REPLAYS, "Requests answered by an answer that was stored before.");
            describe_counter!(MISMATCHES, "Requests whose key was used for another request.");
            describe_counter!(CONFLICTS, "Requests whose first was still running in the end.");
            for route in PAYMENT_ROUTES {
                for name in [REPLAYS, MISMATCHES, CONFLICTS] {
                    counter!(name, "route" => route, "gateway" => gateway.to_owned()).absolute(0);
                }
            }
            (counter!(REQUESTS), counter!(FAILED), counter!(RATE_LIMITED), gauge!(IN_FLIGHT))
        });
        let (gateway, found) = (gateway.to_owned(), RwLock::default());
        Self { metrics, gateway, requests, failed, rate_limited, in_flight, found }
    }

    fn record(&self, words: Words, took: Duration) {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(recorders) = found.get(&words) {
            return recorders.record(took);
        }
        drop(found);
        let made = self.metrics.record(|| self.register(&words));
        made.record(took);
        self.found.write().unwrap_or_else(PoisonError::into_inner).insert(words, made);
    }

    fn register(&self, words: &Words) -> Recorders {
        let Words { label, status, outcome } = words;
        let gateway = if label.creates_payment() { &self.gateway } else { "none" }.to_owned();
        let labels = [
            ("method", label.method.to_owned()),
            ("route", label.route.clone()),
            ("status", (*status).to_owned()),
            ("outcome", (*outcome).to_owned()),
            ("gateway", gateway.clone()),
        ];
        let counted = match *outcome {
            "replayed" => Some(REPLAYS),
            "idempotency_key_reused" => Some(MISMATCHES),
            "idempotency_key_in_use" => Some(CONFLICTS),
            _ => None,
        };
        let counted = counted.filter(|_| label.creates_payment());
        let route = || label.route.clone();
        Recorders {
            duration: histogram!(DURATION, &labels),
            counted: counted.map(|name| counter!(name, "route" => route(), "gateway" => gateway)),
        }
    }

    /// Counts a request that is refused because its client asks too often.
    pub fn rate_limited(&self) {
        self.rate_limited.increment(1);
    }

    /// Begins to measure a request.
    pub fn begin(&self, label: RouteLabel) -> Measured<'_> {
        self.in_flight.increment(1);
        if label.creates_payment() {
            self.requests.increment(1);
        }
        Measured { of: self, label, began: Instant::now(), end: None }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
struct End {
    status: StatusCode,
    outcome: &'static str,
}

/// A request under way. One that is dropped has lost its client.
pub struct Measured<'a> {
    of: &'a RequestMetrics,
    label: RouteLabel,
    began: Instant,
    end: Option<End>,
}

impl Measured<'_> {
    /// Notes the answer.
    pub fn answered(&mut self, response: &Result<ServiceResponse<BoxBody>, Error>) {
        self.end = Some(match response {
            Ok(response) => End {
                status: response.status(),
                outcome: outcome(response, self.label.creates_payment()),
            },
            Err(error) => End { status: error.as_response_error().status_code(), outcome: "error" },
        });
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let of = self.of;
        of.in_flight.decrement(1);
        let is_failure = self.end.is_some_and(|end| end.status.is_server_error());
        if is_failure && self.label.creates_payment() {
            of.failed.increment(1);
        }
        let words = Words {
            label: std::mem::take(&mut self.label),
            status: self.end.map_or("none", |end| class(end.status)),
            outcome: self.end.map_or("client_gone", |end| end.outcome),
        };
        of.record(words, self.began.elapsed());
    }
}

/// A problem's code, or what a status says.
fn outcome(response: &ServiceResponse<BoxBody>, creates_payment: bool) -> &'static str {
    if let Some(error) = response.response().error() {
        return error.as_error::<Problem>().map_or("error", Problem::code);
    }
    let is_replay = response.headers().get(&IDEMPOTENT_REPLAYED);
    if is_replay.is_some_and(|mark| mark == "true") {
        return "replayed";
    }
    match response.status() {
        StatusCode::ACCEPTED => "pending",
        StatusCode::PAYMENT_REQUIRED if creates_payment => "payment_declined",
        StatusCode::BAD_GATEWAY if creates_payment => "gateway_error",
        status if status.as_u16() < 400 => "ok",
        _ => "error",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
