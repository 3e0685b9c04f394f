//! Bodies that nobody reads to their end.
//!
//! The framework goes on reading a chunked body that was dropped, for as long as it lasts: a
//! client could keep a refused connection for ever. A body that is still held when the last byte
//! of its answer is sent makes it close the connection instead.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest};

struct Unread(Payload);

/// Holds a body that was refused until its answer is sent.
pub fn hold(request: &HttpRequest, payload: Payload) {
    request.extensions_mut().insert(Unread(payload));
}

/// Holds the body of a request that should have none.
pub fn hold_if_unexpected(request: &mut ServiceRequest) {
    if request.method() != Method::POST && request.chunked().unwrap_or(false) {
        let payload = request.take_payload();
        request.extensions_mut().insert(Unread(payload));
    }
}

/// Holds the body of a request that is refused before anything reads it. The framework gets the
/// chance to take in what came together with the head: a small body then costs no connection.
pub async fn hold_rest(request: &mut ServiceRequest) {
    tokio::task::yield_now().await;
    let payload = request.take_payload();
    let mut extensions = request.extensions_mut();
    if !extensions.contains::<Unread>() {
        extensions.insert(Unread(payload));
    }
}

/// Hands what is held over to the answer, which outlives the request.
pub fn hand_over(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let unread = response.request().extensions_mut().remove::<Unread>();
    match unread {
        Some(Unread(payload)) => {
            response.map_body(|_, body| BoxBody::new(Holding { body, _unread: payload }))
        }
        None => response,
    }
}

/// An answer that holds the body of its request.
struct Holding {
    body: BoxBody,
    _unread: Payload,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }

    /// Never shrinks to its bytes: what it holds would be let go too early.
    fn try_into_bytes(self) -> Result<Bytes, Self> {
        Err(self)
    }
}
