//! One line of the log for each request, also for one whose client goes away before its answer.

use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use payonce_domain::account::AccountId;
use tracing::Level;

use super::caller::AsksFor;
use super::header_names::IDEMPOTENT_REPLAYED;
use super::route_label::RouteLabel;

/// A request's line, written when it is dropped; nothing where such lines are not.
pub struct RequestLine(Option<Line>);

struct Line {
    label: RouteLabel,
    asks_for: AsksFor,
    began: Instant,
    status: Option<StatusCode>,
    is_replay: bool,
}

impl RequestLine {
    /// Begins with the request.
    pub fn begin(label: &RouteLabel, asks_for: &AsksFor) -> Self {
        Self(tracing::enabled!(Level::INFO).then(|| Line {
            label: label.clone(),
            asks_for: asks_for.clone(),
            began: Instant::now(),
            status: None,
            is_replay: false,
        }))
    }

    /// Notes the answer.
    pub fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        let Some(line) = &mut self.0 else { return };
        line.status = Some(status);
        let mark = headers.get(&IDEMPOTENT_REPLAYED);
        line.is_replay = mark.is_some_and(|mark| mark == "true");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        tracing::info!(
            request_id = self.asks_for.request_id().as_str(),
            account = self.asks_for.account().map(AccountId::as_str),
            api_key = self.asks_for.key_holder().map(|caller| caller.key.as_str()),
            method = self.label.method,
            route = self.label.route,
            status = self.status.map(|status| status.as_u16()),
            client_gone = self.status.is_none().then_some(true),
            latency_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            replayed = self.is_replay,
            "request"
        );
    }
}
