//! Reads a body: JSON, bounded in size and time.

use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{HttpMessage, HttpRequest, web};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::problem::{Code, Problem};
use super::unread;

/// What a body may cost.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Most bytes.
    pub bytes: usize,
    /// The longest time for it to arrive; the framework itself waits for ever.
    pub time: Duration,
}

impl BodyLimits {
    /// Reads the body of a request that announces JSON.
    pub async fn read_json(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
    ) -> Result<Vec<u8>, Problem> {
        if let Err(refused) = check_media_type(request) {
            unread::hold(request, payload.into_inner());
            return Err(refused);
        }
        self.read_any(request, payload).await
    }

    /// Reads the body of a request whatever it announces.
    pub async fn read_any(
        &self,
        request: &HttpRequest,
        mut payload: web::Payload,
    ) -> Result<Vec<u8>, Problem> {
        let body = self.read(request, &mut payload).await;
        if body.is_err() {
            unread::hold(request, payload.into_inner());
        }
        body
    }

    async fn read(
        &self,
        request: &HttpRequest,
        payload: &mut web::Payload,
    ) -> Result<Vec<u8>, Problem> {
        let too_large = || {
            let detail = format!("Send a body of at most {} bytes.", self.bytes);
            Problem::new(Code::BodyTooLarge).detail(detail).closing_connection()
        };
        let announced = request.headers().get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced
            .is_some_and(|length| usize::try_from(length).map_or(true, |it| it > self.bytes))
        {
            return Err(too_large());
        }
        let deadline = Instant::now() + self.time;
        let mut body = Vec::new();
        loop {
            let chunk = timeout_at(deadline, payload.next())
                .await
                .map_err(|_late| Problem::new(Code::BodyTimeout).closing_connection())?;
            let Some(chunk) = chunk else {
                return Ok(body);
            };
            let chunk = chunk.map_err(|error| {
                let detail = format!("The body did not arrive whole: {error}.");
                Problem::new(Code::MalformedBody).detail(detail).closing_connection()
            })?;
            if body.len().saturating_add(chunk.len()) > self.bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }
}

fn check_media_type(request: &HttpRequest) -> Result<(), Problem> {
    let refused = || Problem::new(Code::UnsupportedMediaType).closing_connection();
    if request.headers().get_all(CONTENT_TYPE).count() > 1 {
        return Err(refused());
    }
    let media_type = request.mime_type().ok().flatten().ok_or_else(refused)?;
    let is_json = media_type.type_() == mime::APPLICATION
        && (media_type.subtype() == mime::JSON || media_type.suffix() == Some(mime::JSON));
    let is_utf_8 = media_type.get_param(mime::CHARSET).is_none_or(|charset| charset == mime::UTF_8);
    let is_plain = request
        .headers()
        .get_all(CONTENT_ENCODING)
        .all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_json && is_utf_8 && is_plain { Ok(()) } else { Err(refused()) }
}
