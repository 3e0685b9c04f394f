//! Why a request is refused before its key is looked at.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::view::error;
use crate::http::problem::Problem;

/// A request that did nothing, and what its caller has to correct.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    /// Whether the rest of the request is not worth reading.
    closes_connection: bool,
}

impl Refusal {
    /// A request that has to be corrected.
    pub fn new(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self { status: StatusCode::BAD_REQUEST, code, detail, closes_connection: false }
    }

    /// The answer.
    pub fn answer(&self) -> HttpResponse {
        let mut answer = error(self.status, self.code, &self.detail);
        if self.closes_connection {
            answer.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
        }
        answer
    }
}

/// A body that could not be read.
impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.status(),
            code: problem.code(),
            detail: problem.detail_text().to_owned().into(),
            closes_connection: true,
        }
    }
}
