//! Lets an answer travel as badly as it is told to.

use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use futures_util::stream;
use payonce_domain::use_cases::fake_gateway::Delivery;
use tokio::time::timeout;

use crate::http::gate::Readiness;

/// Longer than any caller waits for an answer.
const SILENCE: Duration = Duration::from_secs(60);
/// Announced, and not a JSON document.
const GARBLED: &str = "{\"id\":\"ch_";

/// The answer as the caller gets to see it.
pub async fn deliver(
    answer: HttpResponse,
    delivery: Delivery,
    readiness: &Readiness,
) -> HttpResponse {
    match delivery {
        Delivery::Whole => answer,
        Delivery::Never => {
            // A service that goes down does not wait for the end of the silence.
            let _ended = timeout(SILENCE, readiness.drained()).await;
            broken_off(&answer)
        }
        Delivery::Reset => broken_off(&answer),
        Delivery::Garbled => HttpResponse::build(answer.status())
            .insert_header((CONTENT_TYPE, mime::APPLICATION_JSON))
            .body(GARBLED),
    }
}

/// A body that fails at once, so that the framework closes the connection.
fn broken_off(answer: &HttpResponse) -> HttpResponse {
    let failure = Err::<web::Bytes, _>(std::io::Error::other("broken off on purpose"));
    HttpResponse::build(answer.status()).streaming(stream::iter([failure]))
}
